"""Data quality: Great Expectations suites from `expectations/`, applied to single rows and to batches."""
