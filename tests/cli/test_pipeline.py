"""What `run`, `land` and `validate` print about a batch."""

from __future__ import annotations

from lakehunt.cli import pipeline
from lakehunt.landing.outcomes import BatchResult, PromotionResult


def lines(**facts: tuple[object, ...]) -> list[str]:
    batch = BatchResult(1, 4, 4, 0, 0, **facts)  # type: ignore[arg-type]
    return [*pipeline._promotion_lines(PromotionResult((batch,)))][1:]


def test_of_many_unknown_properties_the_first_few_are_named() -> None:
    few = tuple(f"p{number}" for number in range(pipeline.MOST_NAMES))
    assert lines(unknown_properties=few) == [f"  unknown properties, kept: {', '.join(few)}"]
    (line,) = lines(unknown_properties=(*few, *map(str, range(49_990))))
    assert line == f"  unknown properties, kept: {', '.join(few)} and 49,990 others"


def test_a_name_is_shown_on_one_line_and_not_in_full() -> None:
    (line,) = lines(unknown_properties=("a\n\x1b[31m", "x" * 5000))
    assert line == f"  unknown properties, kept: a\\n\\x1b[31m, {'x' * 60}… (5,000 characters)"


def test_records_of_other_tables_are_named_by_their_category() -> None:
    assert lines(other_tables=(("AdvancedHunting-DeviceNetworkEvents", 2),)) == [
        "  other tables: 2 records of AdvancedHunting-DeviceNetworkEvents, in raw only"
    ]
