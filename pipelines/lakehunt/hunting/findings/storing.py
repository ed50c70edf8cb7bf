"""Stores the findings of a run's hunts: together, or one by one where that fails."""

from __future__ import annotations

from collections.abc import Sequence

from lakehunt.hunting.findings import suppression, writer
from lakehunt.hunting.findings.computed import ComputedFindings
from lakehunt.lake.delta_lake import Lake
from lakehunt.runtime.error_text import describe


def store_all(lake: Lake, found: Sequence[ComputedFindings]) -> dict[ComputedFindings, Exception]:
    """Replaces the findings of these hunts at their as-ofs in the tables that all hunts share. Returns the findings
    that could not be stored, and why. Raises the error if there are none to be stored."""
    try:
        _store(lake, found)
    except Exception as error:
        if not found:
            raise
        return _store_one_by_one(lake, found, error)
    return {}


def _store(lake: Lake, found: Sequence[ComputedFindings]) -> None:
    writer.write_all(lake, found)
    if found:
        suppression.write_suppressed(lake, found)


def _store_one_by_one(
    lake: Lake, found: Sequence[ComputedFindings], why: Exception
) -> dict[ComputedFindings, Exception]:
    """Stores what can be stored, after an error in storing all together. If a hunt alone fails for the same reason, it
    is nobody's own, and the others are not tried: each would take a minute of retries."""
    failed: dict[ComputedFindings, Exception] = {}
    is_common = len(found) == 1
    for one in found:
        error: Exception | None = why
        if not is_common:
            try:
                _store(lake, [one])
                error = None
            except Exception as own:  # noqa: BLE001
                error = own
                is_common = describe(own) == describe(why)
        if error is not None:
            failed[one] = error
    return failed
