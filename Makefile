# Two commands are enough: `make demo` and `make test`. Both set up what they need and can be run again.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --retries 5 --timeout 60

.PHONY: demo setup test check tests lint types bench lock clean

demo: $(VENV)/.usable
	@$(BIN)/codex-usage demo --own

test: check tests

check: lint types

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check server
	$(BIN)/lint-imports
	@! LC_ALL=C.UTF-8 grep -nE '^.{121,}' server/codex_usage/present/page/*.js || { echo "Break these lines: 120 columns are the most."; exit 1; }

types: $(STAMP) node
	$(BIN)/mypy
	$(BIN)/python -m tests.lab.npm check

tests: $(STAMP) node chromium
	$(BIN)/python -m tests.lab.codex 0.169.0 0.130.0
	$(BIN)/python -m tests.lab.npm
	$(BIN)/python -m tests.clients.packages
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Real Codex is an npm package: Node comes from the system, or from apt where it is missing.
.PHONY: node
node:
	@command -v npm >/dev/null 2>&1 || { apt-get update && apt-get install -y --no-install-recommends nodejs npm; }
	@command -v git >/dev/null 2>&1 || { apt-get update && apt-get install -y --no-install-recommends git; }

# The page is tested in a real browser.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null 2>&1 || { apt-get -o Acquire::Retries=5 update && apt-get -o Acquire::Retries=5 install -y --no-install-recommends chromium; }

bench: $(STAMP)
	$(BIN)/python -m benchmarks.run --size 1GB

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("codex-usage needs Python 3.11 or newer; set PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# What a user needs, from the ranges in pyproject.toml.
$(VENV)/.usable: $(VENV)/bin/python pyproject.toml
	$(PIP) install --quiet --editable .
	@touch $@

# What the tests need, at the locked versions.
$(STAMP): $(VENV)/bin/python pyproject.toml requirements.lock
	$(PIP) install --quiet --requirement requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	@touch $@ $(VENV)/.usable

lock: $(VENV)/bin/python
	$(PIP) install --quiet --upgrade pip
	$(PIP) install --quiet --editable . --group dev
	$(BIN)/python -m pip freeze --exclude-editable --exclude codex-usage-mcp > requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
