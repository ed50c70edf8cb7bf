"""Operating a lake: retention, compaction, erasure, status."""
