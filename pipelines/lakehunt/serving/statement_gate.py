"""What a client of the endpoint may say: queries over the schemas that are served, and looking around in them.

Spark's Thrift server knows no permissions. Whoever may say everything that Spark SQL can say may write and delete every
table and file that the server's user may, read them (`SELECT * FROM text.`/etc/passwd``), and start programs
(`SELECT TRANSFORM ... USING 'sh'`, `reflect('java.lang.Runtime', ...)`, `ADD JAR`). So each session that a client opens
parses behind a gate: it lets a statement through if the parsed plan consists of nothing but what is named here. The
engine gives two doors for this, an extension's parser and the settings of Hive's server; neither can be reached by a
client.

The gate itself is `StatementGate.java`, since a plan is looked at quickly only where it is. What it must see:

- every kind of plan: queries, and commands that only show something. What a new Spark adds is refused until it is
  named here.
- names of tables, which may be paths (`delta.`/some/path``) or tables of another catalog.
- functions that reach out of the query.
- settings that the connection brought, in its address or otherwise. They could name another catalog, another address of
  the object store, or classes to load.

A plan is one before analysis, so nothing has been looked up, or read, when a statement is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from lakehunt.runtime import janino

_CATALYST = "org.apache.spark.sql.catalyst"
_LOGICAL, _ANALYSIS = f"{_CATALYST}.plans.logical", f"{_CATALYST}.analysis"
_COMMANDS = "org.apache.spark.sql.execution.command"


def _named(package: str, names: str) -> list[str]:
    return [f"{package}.{name}" for name in names.split()]


QUERIES = (
    *_named(
        _LOGICAL,
        "Aggregate Distinct Except Filter Generate GlobalLimit Intersect Join LateralJoin LimitAll LocalLimit"
        " LocalRelation Offset OneRowRelation Pivot Project RepartitionByExpression Sample Sort SubqueryAlias Union"
        " Unpivot UnresolvedHint UnresolvedWith WithWindowDefinition",
    ),
    *_named(
        _ANALYSIS,
        "RelationTimeTravel ResolvedInlineTable UnresolvedHaving UnresolvedInlineTable UnresolvedRelation"
        " UnresolvedSubqueryColumnAliases UnresolvedTVFAliases UnresolvedTableValuedFunction",
    ),
)
"""What a query is made of."""

LOOKING_AROUND = (
    *_named(
        _LOGICAL,
        "DescribeColumn DescribeFunction DescribeNamespace DescribeRelation SetCatalogAndNamespace ShowColumns"
        " ShowCreateTable ShowFunctions ShowPartitions ShowTableProperties ShowTables ShowViews",
    ),
    *_named(
        _ANALYSIS,
        "CurrentNamespace CurrentNamespace$ UnresolvedFunctionName UnresolvedNamespace UnresolvedTable"
        " UnresolvedTableOrView",
    ),
    *_named(
        _COMMANDS,
        "DescribeQueryCommand ExplainCommand SetNamespaceCommand ShowCatalogsCommand ShowCurrentNamespaceCommand"
        " ShowNamespacesCommand",
    ),
)
"""Commands that show what there is, and USE, which chooses the schema of the client's own session."""

EXPRESSIONS = _named(
    _ANALYSIS,
    "MultiAlias UnresolvedAlias UnresolvedAttribute UnresolvedExtractValue UnresolvedFunction UnresolvedGenerator"
    " UnresolvedOrdinal UnresolvedRegex UnresolvedStar UnresolvedStarExceptOrReplace UnresolvedWithinGroup",
)
"""Expressions beside those of `catalyst.expressions`; none of them builds a name while the query runs."""

REFUSED_FUNCTIONS = (
    *("reflect", "java_method", "try_reflect"),
    *("from_avro", "to_avro", "from_protobuf", "to_protobuf", "schema_of_avro"),
    *("from_xml", "to_xml", "schema_of_xml", "xpath", "xpath_boolean", "xpath_double", "xpath_float", "xpath_int"),
    *("xpath_long", "xpath_number", "xpath_short", "xpath_string"),
)
"""They call any method of any Java class, or read a file named in an argument: XML has schemas and entities."""

TABLE_FUNCTIONS = (
    *("explode", "explode_outer", "inline", "inline_outer", "json_tuple", "posexplode", "posexplode_outer"),
    *("range", "sql_keywords", "stack", "variant_explode", "variant_explode_outer"),
)
"""Functions that make rows. Others read tables and files by their paths."""

SETTINGS = (
    "hive.server2.thrift.resultset.default.fetch.size",
    "spark.sql.binaryOutputStyle",
    "spark.sql.datetime.java8API.enabled",
    "spark.sql.hive.version",
    "spark.sql.parquet.fieldId.read.enabled",
    "spark.sql.parquet.fieldId.write.enabled",
)
"""What a session has beside the server's settings: what JDBC drivers bring, and Spark's server and Delta add."""


def rules(schemas: Sequence[str]) -> Mapping[str, list[str]]:
    """What `StatementGate.java` asks for, for an endpoint that serves these schemas."""
    return {
        "plans": [*QUERIES, *LOOKING_AROUND],
        "tables": _named(_ANALYSIS, "UnresolvedRelation UnresolvedTable UnresolvedTableOrView"),
        "tables with options": _named(_ANALYSIS, "UnresolvedRelation"),
        "namespaces": [
            *_named(_ANALYSIS, "UnresolvedNamespace"),
            *_named(_COMMANDS, "SetNamespaceCommand"),
        ],
        "schemas": [*schemas, "default"],
        "expressions": list(EXPRESSIONS),
        "functions": _named(_ANALYSIS, "UnresolvedFunction"),
        "refused functions": list(REFUSED_FUNCTIONS),
        "generators": _named(_ANALYSIS, "UnresolvedGenerator"),
        "table functions": _named(_ANALYSIS, "UnresolvedTableValuedFunction"),
        "allowed table functions": list(TABLE_FUNCTIONS),
        "settings": list(SETTINGS),
    }


@contextmanager
def closed(spark: SparkSession, schemas: Sequence[str]) -> Iterator[None]:
    """From here on every new session parses behind the gate; this one, whose parser is there, does not.

    At the end the JVM's properties are the old ones again. The parser stays in Spark's extensions: a session is not
    used for anything else after it was served."""
    jvm: Any = spark._jvm
    session: Any = spark._jsparkSession
    gate = janino.compile_class(spark, "StatementGate").newInstance()
    gate.configure(dict(rules(schemas)), session.newSession(), session.sharedState().jarClassLoader())
    session.extensions().injectParser(gate)
    before = jvm.System.getProperties()
    gate.sealProperties()
    try:
        yield
    finally:
        with suppress(Py4JError, OSError):  # Spark may have ended
            jvm.System.setProperties(before)
