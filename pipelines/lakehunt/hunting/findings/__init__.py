"""What was found: written, identified, read back, with its evidence and the log of runs."""
