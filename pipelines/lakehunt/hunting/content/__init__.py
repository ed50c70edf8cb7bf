"""Content that a team writes: hunts and exclusions; and the MITRE ATT&CK labels of hunts."""
