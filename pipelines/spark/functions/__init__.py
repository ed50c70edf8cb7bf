"""KQL's functions, by family. Importing this package fills the catalog."""

from pipelines.spark.functions import aggregates, conditions, strings, times
from pipelines.spark.functions.registry import CATALOG

__all__ = ["CATALOG", "aggregates", "conditions", "strings", "times"]
