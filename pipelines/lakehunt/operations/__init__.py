"""What an operator does to a lake: retention, compaction, erasure."""
