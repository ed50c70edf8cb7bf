"""Sources of events: one module each, implementing the protocol in base.py. A new source needs its module and an entry
point in pyproject.toml."""
