"""Entry point: every error becomes one line with its mend, and an exit code; nobody sees a traceback."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 could not, 2 asked wrongly, 3 over budget, 130 stopped."""
    if sys.argv[1:] == ["status"]:
        from codex_usage.cli.quick import line_again

        if (kept := line_again()) is not None:
            sys.stdout.write(f"{kept[0]}\n")
            sys.exit(kept[1])
    gc.disable()  # a twentieth of the time of most commands; a server turns it on again
    # pydantic would look through every installed package for plugins that we don't use (15 ms)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    import click

    from codex_usage.cli.commands import cli
    from codex_usage.model import BadInput, UsageError

    try:
        cli.main(standalone_mode=False, prog_name="codex-usage")
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), 2)
    except UsageError as error:
        _fail(str(error), 2 if isinstance(error, BadInput) else 1)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped; what was read so far is kept.", 130)
    except BrokenPipeError:
        # the reader of a pipe left; nothing more to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:
        if os.environ.get("CODEX_USAGE_DEBUG"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error}; CODEX_USAGE_DEBUG=1 shows where.", 1)


def _fail(message: str, code: int) -> None:
    sys.stderr.write(f"codex-usage: {message}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
