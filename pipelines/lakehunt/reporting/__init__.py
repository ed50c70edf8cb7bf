"""Reports of findings for people who do not query: one HTML page, and an ATT&CK Navigator layer."""
