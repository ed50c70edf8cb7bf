"""Landing: a source's records into `raw`, and from there, once, into `events` or `quarantine`.

Two stages, each of which can be killed anywhere and run again: `deliver` stores what a source holds as it is,
`settle` decides what becomes of it.
"""

from pipelines.landing.delivery import Delivery, deliver
from pipelines.landing.settlement import BatchOutcome, Settlement, settle

__all__ = ["BatchOutcome", "Delivery", "Settlement", "deliver", "settle"]
