"""Data rules, written once in `expectations/`: read as Great Expectations suites, applied to rows and to batches."""
