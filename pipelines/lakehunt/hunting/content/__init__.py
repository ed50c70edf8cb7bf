"""What a team writes: hunts, their exclusions, and MITRE ATT&CK, by which they are labelled."""
