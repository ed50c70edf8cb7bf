"""Detects KQL functions and operators whose semantics have changed, and raises their versions.

    make semantics                            # raises the version of each name whose results may have changed
    python -m scripts.semantics --same        # they compile to other Spark expressions, with the same results

The semantics of a name is recorded as digests of the Spark plans of some queries: a digest changes with the
computation, not with the location or names of our code. Queries over a table with a column of each type are generated
from the functions' signatures; tests/semantics/corpus.yaml adds those that need constants, tables or a certain shape.
Digests are stored per query, so a new query or function is not a change.

docs/decisions/0020-semantics-version.md has the reasons."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any

import yaml
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehunt.config import Config
from lakehunt.core.errors import LakehuntError
from lakehunt.hunting.query import events_table
from lakehunt.kql import operator_parser, operators, parser, scalar_parser, semantics, source_parser, times
from lakehunt.kql import plan as p
from lakehunt.kql.binding import bind, calls, groups
from lakehunt.kql.catalog import Constant, OneOf, Parameter, Pattern, Same, Signature, Text
from lakehunt.kql.errors import KqlError, QueryErrors
from lakehunt.kql.types import BY_NAME, Column, Schema, Type
from lakehunt.runtime import session
from lakehunt.schemas import event_tables
from lakehunt.spark.expressions import INGESTED
from lakehunt.spark.functions import CATALOG
from lakehunt.spark.plans import Context, compile_plan
from lakehunt.spark.relations import ORDER, Relation
from lakehunt.spark.values import spark_type

TESTS = Path(__file__).resolve().parents[1] / "tests" / "semantics"
CORPUS = TESTS / "corpus.yaml"
RECORD = TESTS / "digests.json"

Digests = dict[str, dict[str, str]]
"""For each name and each of its queries, the digest of the compiled plan."""

NOW = times.parse_datetime("2021-03-21T06:40:15.3380000Z") or 0

COLUMNS = {
    "bool": "b", "int": "i", "long": "l", "real": "r", "decimal": "m", "datetime": "t", "timespan": "s", "guid": "g",
    "string": "x", "dynamic": "d",
}  # fmt: skip
"""The columns of T, by their types."""

LITERALS = {
    "bool": "true", "int": "int(2)", "long": "2", "real": "1.5", "decimal": "decimal(1.5)", "string": "'a(b+)'",
    "datetime": "datetime(2021-02-03)", "timespan": "1d", "dynamic": "dynamic([1, 'a'])", "type": "typeof(long)",
    "guid": "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)",
}  # fmt: skip

FROM_FILES = {"geo_info_from_ip_address"}
"""Functions that answer with what a file of the configuration says: never part of stored hits."""

_ANY = ("x", "l", "t", "d")
_REFUSED = (KqlError, LakehuntError, PySparkException, ArithmeticError, ValueError)
_SOME = 4
"""Calls of a function that need a whole Spark plan."""

# Queries


def queries() -> dict[str, list[str]]:
    """The queries of each name: those made from signatures, then those of the corpus."""
    made = {name: list(dict.fromkeys(_generated(name))) for name in sorted(names())}
    for name, texts in yaml.safe_load(CORPUS.read_text("utf-8")).items():
        made[name] += [text if _is_query(text) else f"T | project r = {text}" for text in texts]
    return made


def names() -> set[str]:
    """All names with a version of their own."""
    scalars = {name for name in CATALOG.scalars if "." not in name}
    operators_ = {
        *operator_parser.OPERATORS,
        *source_parser.SOURCES,
        *parser.STARTS_WITHOUT_A_SOURCE,
        *scalar_parser.PRECEDENCE,
    }
    functions = {
        *scalars,
        *CATALOG.several,
        *CATALOG.windows,
        *CATALOG.aggregates,
        *calls.FORMS,
        *calls.PACKS,
        *groups.PLUGINS,
    }
    return (functions | operators_ | {semantics.LANGUAGE}) - FROM_FILES


def _is_query(text: str) -> bool:
    return (
        re.match(
            r"(T|DeviceProcessEvents|let|set|print|range|datatable|union|search|find|materialize|externaldata)\b", text
        )
        is not None
    )


def _generated(name: str) -> Iterator[str]:
    """Calls of a function for the types that it takes; comparisons and arithmetic of every pair of types."""
    if name in CATALOG.scalars:
        yield from (f"T | project r = {call}" for call in _calls(name, CATALOG.scalars[name].signatures))
    if name in CATALOG.windows:
        calls = islice(_calls(name, CATALOG.windows[name].signatures), _SOME)
        yield from (f"T | serialize | extend r = {call}" for call in calls)
    if name in CATALOG.aggregates:
        calls = islice(_calls(name, CATALOG.aggregates[name].signatures), _SOME)
        yield from (f"T | summarize r = {call} by x" for call in calls)
    if name in operators.BINARY:
        pairs = product(COLUMNS, [*COLUMNS.items(), *LITERALS.items()])
        yield from (f"T | project r = {COLUMNS[left]} {name} {right}" for left, (_, right) in pairs)


def _calls(name: str, signatures: Sequence[Signature]) -> Iterator[str]:
    for signature in signatures:
        least = len(signature.parameters) - signature.optional + len(signature.last)
        most = len(signature.parameters) + len(signature.last)
        for count in dict.fromkeys([least, most, most + len(signature.rest)]):
            choices = [_arguments(parameter) for parameter in signature.wanted(count) or []]
            for i in range(max(map(len, choices), default=1)):
                yield f"{name}({', '.join(some[i % len(some)] for some in choices)})"


def _arguments(parameter: Parameter) -> Sequence[str]:
    """Arguments that a parameter may take."""
    if isinstance(parameter, Type):
        return [COLUMNS[parameter.name]]
    if isinstance(parameter, OneOf) or (isinstance(parameter, Same) and parameter.types):
        return [COLUMNS[kind.name] for kind in parameter.types]
    if isinstance(parameter, Constant):
        return _constants(parameter.of)
    if isinstance(parameter, Pattern):
        return [LITERALS["string"]]
    return (*_ANY, "r") if isinstance(parameter, Text) else _ANY


def _constants(of: object) -> Sequence[str]:
    if isinstance(of, Type):
        return [LITERALS[of.name]]
    return (
        [LITERALS[kind.name] for kind in of.types] if isinstance(of, OneOf) else [LITERALS["string"], LITERALS["long"]]
    )


# Digests


def digests(spark: SparkSession, requested: Mapping[str, Iterable[str]]) -> Digests:
    """The digests of queries that compile. A refused query has no results that could change."""
    spark.conf.set("spark.sql.debug.maxToStringFields", "1000000")
    tables = _Tables(spark)
    context = Context(spark, NOW, tables.scan, tables.without_rows)
    found: Digests = {name: {} for name in requested}
    plans = [(name, text, plan) for name, texts in requested.items() for text in texts if (plan := _bound(text))]
    for name, text, plan in plans:
        shown = _expression(plan, context) if _is_one_expression(plan) else _whole(plan, context)
        if shown is not None:
            found[name][text] = _digest(plan, shown)
    return found


def _bound(text: str) -> p.Plan | None:
    tables = {
        "T": tuple(Column(name, BY_NAME[kind]) for kind, name in COLUMNS.items()),
        "U": _U,
    } | events_table.KQL_TABLES
    try:
        return bind(text, tables, CATALOG, lambda plan, plugin: (Column("made", BY_NAME["dynamic"]),))
    except QueryErrors:
        return None


_U: Schema = (Column("x", BY_NAME["string"]), Column("l", BY_NAME["long"]), Column("y", BY_NAME["real"]))


def _is_one_expression(plan: p.Plan) -> bool:
    """Whether a plan computes one value per row of T, so that its expression can be used without Spark's slow
    analysis."""
    if not isinstance(plan, p.Project) or not isinstance(plan.source, p.Scan) or len(plan.expressions) != 1:
        return False
    parts = p.parts(plan.expressions[0])
    return all(isinstance(part, (p.Const, p.ColumnRef, p.Now)) or type(part) is p.Call for part in parts)


def _expression(plan: p.Plan, context: Context) -> str | None:
    assert isinstance(plan, p.Project)
    try:
        made: Any = context.expressions().compile(plan.expressions[0])
    except _REFUSED:
        return None
    return str(made._jc.node().normalized().toString())


def _whole(plan: p.Plan, context: Context) -> str | None:
    try:
        return str(_analyzed(compile_plan(plan, context)).toString())
    except _REFUSED:
        return None


def _analyzed(relation: Relation) -> Any:
    return (
        relation.in_order()._jdf.queryExecution().analyzed()
        if relation.sorted_by
        else relation.frame._jdf.queryExecution().analyzed()
    )


class _Tables:
    """T, U and DeviceProcessEvents, without rows."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark

    def scan(self, plan: p.Scan) -> Relation:
        if plan.table in events_table.KQL_TABLES:
            table = event_tables.BY_NAME[plan.table]
            return events_table.relation(table, self.spark.createDataFrame([], table.events.ddl), traced=False)
        return self.without_rows(plan)

    def without_rows(self, plan: p.Plan) -> Relation:
        columns = [F.lit(None).cast(spark_type(c.type)).alias(c.name) for c in plan.schema]
        hidden = [F.struct(F.col("id")).alias(ORDER), F.col("id").alias(INGESTED)]
        return Relation(self.spark.range(1).select(*columns, *hidden), plan.schema)


def _digest(plan: p.Plan, shown: str) -> str:
    """16 hexadecimal digits for a result's columns and plan, without what differs between sessions: the
    numbers that Spark gives to columns, addresses of Java objects, and how many cores read a range."""
    numbers: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"#{len(numbers)}")

    shown = re.sub(r"\$\$Lambda[^,()]*?@[0-9a-f]+", "a Java function", shown)
    same = re.sub(r"(\b[xyz]_\d+)?#\d+L?|\b[xyz]_\d+\b|@[0-9a-f]{5,}\b", numbered, shown)
    same = re.sub(r"\bsplits=Some\(\d+\)", "splits", same)
    columns = [f"{c.name}: {c.type}" for c in plan.schema]
    return hashlib.sha256("\n".join([*columns, same]).encode()).hexdigest()[:16]


# What has changed


def changed(record: Digests, found: Digests) -> dict[str, list[str]]:
    """The queries of each name whose digests differ from the record."""
    pairs = {
        name: {text: (found.get(name, {}).get(text), old) for text, old in own.items()} for name, own in record.items()
    }
    differing = {
        name: [text for text, (new, old) in own.items() if new not in (None, old)] for name, own in pairs.items()
    }
    return {name: texts for name, texts in differing.items() if texts}


def recorded() -> Digests:
    found: Digests = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    return found


def main() -> None:
    options = argparse.ArgumentParser(description="Raises the versions of functions whose results may have changed.")
    options.add_argument("--same", action="store_true", help="the results are the same: record, raise no version")
    same = options.parse_args().same
    found = digests(_session(), queries())
    different = changed(recorded(), found)
    if different and not same:
        versions = dict(semantics.VERSIONS) | {name: semantics.VERSIONS.get(name, 1) + 1 for name in different}
        _write(semantics.FILE, versions)
    for name, texts in different.items():
        print(f"{name}: {'recorded again' if same else 'version raised'}; compiles differently: {texts[0]}")
    _write(RECORD, found)
    print(f"{sum(map(len, found.values()))} queries of {len(found)} names recorded")


def _session() -> SparkSession:
    return session.start(Config(spark={"spark.master": "local[1]", "spark.sql.shuffle.partitions": "1"}))


def _write(file: Path, data: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
