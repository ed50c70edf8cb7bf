"""Metrics of a lake, for Prometheus and StatsD. A metric is one function in `catalog`."""
