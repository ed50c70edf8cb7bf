"""`lakehunt.open` and `lakehunt.check`."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from lakehunt import config as configuration
from lakehunt.api import moments
from lakehunt.api.evidence import FindingEvidence
from lakehunt.api.moments import Moment, Span
from lakehunt.api.result import QueryResult
from lakehunt.cli import context
from lakehunt.config import Config
from lakehunt.core.object_store import one_spelling
from lakehunt.hunting import compile_check, compiled_hunt, engine
from lakehunt.hunting.content.hunt_file import Hunt
from lakehunt.hunting.findings import evidence, reader
from lakehunt.hunting.findings.run_log import HuntRun
from lakehunt.hunting.query.adhoc import Collected
from lakehunt.kql import times
from lakehunt.kql.types import DATETIME, DYNAMIC, LONG, REAL, STRING, TICKS_PER_MINUTE, Column, Schema, Type
from lakehunt.lake.delta_lake import Lake
from lakehunt.live.lake import LiveLake, now
from lakehunt.live.result import Result
from lakehunt.runtime import session
from lakehunt.runtime.limits import Limits
from lakehunt.schemas.finding_tables import FINDINGS_ALL
from lakehunt.spark.values import dynamic_text


def open(  # noqa: A001 (lakehunt.open is its name)
    lake: str | Path | None = None, *, config: str | Path | Config | None = None, idle: float | None = None
) -> OpenLake:
    """Opens a lake: a folder, or a place such as `s3://bucket/lake`.

    `config` is a configuration or its file, by default `$LAKEHUNT_CONFIG` or `./lakehunt.yaml`, as for commands; its
    `lake` is opened if none is given. Spark starts with the first query, and ends after `idle` seconds without use
    (1,800 by default; `math.inf`: with the process). In a process that has a Spark session, that is used, and left as
    it is.
    Raises LakehuntError for an invalid configuration, and if the lake cannot be there."""
    settings = config if isinstance(config, Config) else configuration.load(None if config is None else str(config))
    if lake is not None:
        settings = settings.with_lake(one_spelling(str(lake)))
    context.check_place(settings)
    return OpenLake(settings, idle)


def check(query: str, *, config: str | Path | Config | None = None) -> dict[str, str]:
    """The columns of a query's result, with the names of their Kusto types. Needs no lake, and starts no Java.

    `config` as in `open`: the tables that it registers can be queried, too. Raises QueryErrors, with the place of each
    error, for an invalid or unsupported query."""
    settings = config if isinstance(config, Config) else configuration.load(None if config is None else str(config))
    return _types(context.tables(settings).bind(query).schema)


class OpenLake:
    """A lake that is open for queries, as `lakehunt.open` returns it; at the end of a `with`, it is closed. Safe to use
    from several threads.

    Every call opens the tables anew, and sees what commands of other processes have written until then."""

    def __init__(self, config: Config, idle: float | None = None) -> None:
        self.config = config
        self.live = LiveLake(config, idle)

    def __enter__(self) -> OpenLake:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<lake {self.config.lake}>"

    def close(self) -> None:
        """Ends Spark, if it was started for this lake and nothing else in this process uses it. The lake can be used
        again: then Spark starts again."""
        self.live.close()

    def query(
        self, kql: str, *, as_of: Moment | None = None, period: Span | None = None, limits: Limits | None = None
    ) -> QueryResult:
        """Asks a query, as `lakehunt query` does.

        It sees no event later than `as_of`, which is its `now()`; by default the time of the call. `period` is how far
        a query without a time filter looks back, by default as far as the lake goes. `limits` (rows, seconds) are by
        default the configuration's.
        Raises QueryErrors, with the place of each error, for an invalid or unsupported query; LimitError for one that
        takes too long or has too many rows; LakehuntError if Spark fails. An interrupt cancels the query."""
        at = None if as_of is None else moments.instant(as_of)
        span = None if period is None else moments.length(period)
        return _shown(self.live.query(kql, at, span, limits))

    def tables(self) -> dict[str, dict[str, str]]:
        """The tables that queries can name: of each, the columns, with the names of their Kusto types."""
        return {name: _types(schema) for name, schema in self.live.tables.schemas.items()}

    def findings(self, *hunts: str, as_of: Moment | None = None) -> QueryResult:
        """The findings of hunts (ids or names; none: all) at an as-of, by default that of each hunt's newest run, with
        the columns of `findings.all`: `result` is the row of the hunt's query."""
        began = time.perf_counter()
        at = None if as_of is None else moments.stored_instant(as_of)
        chosen = context.loaded_hunts(self.config, hunts)
        with self.live.session.lake() as lake:
            found = reader.latest_findings(lake, chosen, at)
        rows = [_values(row, _FINDINGS) for one in found for row in one.rows]
        return self._made(_FINDINGS, rows, now() if at is None else at, began)

    def evidence(self, finding: str, *, as_of: Moment | None = None, minutes: int = 5) -> FindingEvidence:
        """The events of a finding, named by its id or the beginning of one, and the processes around them: siblings
        and descendants that started up to so many minutes from an event. `as_of`: by default the newest that has it.

        Raises UsageError if it is not an id, LakehuntError if no finding or more than one matches."""
        at = None if as_of is None else moments.stored_instant(as_of)
        evidence.check_name(finding)
        with self.live.session.lake() as lake:
            return FindingEvidence(evidence.of_finding(lake, finding, at, minutes * TICKS_PER_MINUTE))

    def hunt(self, *hunts: str, as_of: Moment | None = None, full: bool = False) -> QueryResult:
        """Runs hunts (ids or names; none: all) and stores their findings, as `lakehunt hunt` does; a row for each run.
        As-ofs of which events have landed since are asked again, as far back as `hunting.late` says.

        `as_of` is by default the time of the call. `full` reads all events of each window; the findings are the same.
        Files that are not hunts are warned of."""
        began = time.perf_counter()
        at = now() if as_of is None else moments.stored_instant(as_of)
        checked = compile_check.check_files([context.hunts_folder(self.config)], self.live.tables)
        for one in checked:
            if one.hunt is None and not one.ok:
                warnings.warn(f"{one.file}: {one.problems[0].message}", stacklevel=2)
        chosen = compiled_hunt.select_hunts([one.hunt for one in checked if one.hunt], hunts)
        with context.written(self.config), self.live.session.lake() as opened:
            # Hunts change settings of their session while they run.
            own = session.beside(opened.spark, self.config)
            lake = Lake(own, self.config.lake, self.config.object_store)
            late = self.config.hunting.late
            runs = engine.run_hunts(lake, chosen, at, _say, self.live.tables, full, self.config.limits, late)
        return self._made(_RUNS, [_run(run) for run in runs], at, began)

    def hunts(self, *hunts: str) -> list[Hunt]:
        """The hunts of the configuration's folder with these ids or names; none: all of them."""
        return context.loaded_hunts(self.config, hunts)

    def _made(self, schema: Schema, rows: Sequence[tuple[Any, ...]], as_of: int, began: float) -> QueryResult:
        seconds = time.perf_counter() - began
        return QueryResult(Collected(schema, rows), as_of, seconds, self.live.session)


def _shown(found: Result) -> QueryResult:
    return QueryResult(found.collected, found.as_of, found.seconds, found.session)


def _types(schema: Schema) -> dict[str, str]:
    return {column.name: column.type.name for column in schema}


def _say(_: str) -> None:
    """Progress of hunts, which nobody waits for on a terminal."""


_FINDINGS: Schema = tuple(Column(c.name, DYNAMIC if c.name == "result" else c.kql_type) for c in FINDINGS_ALL.columns)


def _values(row: Mapping[str, Any], schema: Schema) -> tuple[Any, ...]:
    """A finding, as JSON has it, in engine types."""
    return tuple(_value(row[column.name], column.type) for column in schema)


def _value(value: Any, kind: Type) -> Any:
    if kind == STRING:
        return value or ""
    if value is None:
        return None
    if kind == DATETIME:
        return times.parse_datetime(value)
    return dynamic_text(value) if kind == DYNAMIC else value


_RUNS: Schema = (
    Column("hunt_id", STRING),
    Column("hunt_name", STRING),
    Column("as_of", DATETIME),
    Column("matched", LONG),
    Column("suppressed", LONG),
    Column("findings", LONG),
    Column("seconds", REAL),
    Column("outcome", STRING),
    Column("error", STRING),
)


def _run(run: HuntRun) -> tuple[Any, ...]:
    outcome = "succeeded" if run.error is None else "failed"
    counts = (run.matched, run.suppressed, run.findings, run.seconds)
    return (run.hunt.id, run.hunt.name, run.as_of, *counts, outcome, run.error or "")
