"""A page of what was found, for people who would rather look than query: one HTML file, and an ATT&CK layer."""
