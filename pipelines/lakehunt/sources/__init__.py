"""Sources of events: one module each, behind the protocol in base.py. A new source touches its module and its entry
point in pyproject.toml."""
