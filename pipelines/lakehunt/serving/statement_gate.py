"""The statements that clients of the endpoint may run: queries over the served schemas, and commands that list them.

Spark's Thrift server has no permissions. Unrestricted Spark SQL can write and delete every table and file that the
server's user can, read them (`SELECT * FROM text.`/etc/passwd``), and start programs (`SELECT TRANSFORM ... USING
'sh'`, `reflect('java.lang.Runtime', ...)`, `ADD JAR`). So each client session parses through a gate: it accepts a
statement only if its parsed plan consists of the nodes listed here. Spark has two hooks for this, a parser extension
and the settings of Hive's server; clients can change neither.

The gate itself is `StatementGate.java`, as inspecting a plan is fast only inside the JVM. It checks:

- every plan node: queries, and commands that only show something. Nodes that a new Spark version adds are refused until
  they are listed here.
- names of tables, which may be paths (`delta.`/some/path``) or tables of another catalog.
- functions that reach outside the query.
- settings of the connection, from its URL or otherwise. They could name another catalog, another endpoint of the object
  store, or classes to load.

The plan is unresolved, so nothing has been looked up or read when a statement is refused."""

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
"""Plan nodes of queries."""

METADATA_COMMANDS = (
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
"""Commands that list and describe, and USE, which sets the schema of the client's own session."""

EXPRESSIONS = _named(
    _ANALYSIS,
    "MultiAlias UnresolvedAlias UnresolvedAttribute UnresolvedExtractValue UnresolvedFunction UnresolvedGenerator"
    " UnresolvedOrdinal UnresolvedRegex UnresolvedStar UnresolvedStarExceptOrReplace UnresolvedWithinGroup",
)
"""Expressions besides those of `catalyst.expressions`; none of them builds a name while the query runs."""

REFUSED_FUNCTIONS = (
    *("reflect", "java_method", "try_reflect"),
    *("from_avro", "to_avro", "from_protobuf", "to_protobuf", "schema_of_avro"),
    *("from_xml", "to_xml", "schema_of_xml", "xpath", "xpath_boolean", "xpath_double", "xpath_float", "xpath_int"),
    *("xpath_long", "xpath_number", "xpath_short", "xpath_string"),
)
"""They can call any method of any Java class, or read a file named in an argument (XML schemas and entities)."""

TABLE_FUNCTIONS = (
    *("explode", "explode_outer", "inline", "inline_outer", "json_tuple", "posexplode", "posexplode_outer"),
    *("range", "sql_keywords", "stack", "variant_explode", "variant_explode_outer"),
)
"""Allowed table-valued functions. Others read tables and files by path."""

SETTINGS = (
    "hive.server2.thrift.resultset.default.fetch.size",
    "spark.sql.binaryOutputStyle",
    "spark.sql.datetime.java8API.enabled",
    "spark.sql.hive.version",
    "spark.sql.parquet.fieldId.read.enabled",
    "spark.sql.parquet.fieldId.write.enabled",
)
"""Settings that a session may have besides the server's: those of JDBC drivers, Spark's server and Delta."""


def rules(schemas: Sequence[str]) -> Mapping[str, list[str]]:
    """The configuration of `StatementGate.java` for an endpoint that serves these schemas."""
    return {
        "plans": [*QUERIES, *METADATA_COMMANDS],
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
def installed(spark: SparkSession, schemas: Sequence[str]) -> Iterator[None]:
    """Installs the gate for every new session; this session already has its parser and is not restricted.

    On exit the JVM's properties are restored. The parser stays in Spark's extensions: a session is not used for
    anything else after serving."""
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
