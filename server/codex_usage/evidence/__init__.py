"""Evidence of one call, read from its log on demand: redacted, bounded, never stored."""
