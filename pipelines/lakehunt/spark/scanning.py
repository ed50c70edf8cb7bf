"""The operator `scan`: a state machine over ordered rows, implemented as a fold over an array of rows.

The state of step k is the sequence that has come as far as k: the number of its match, and the last row, with its
declared columns, that each of the steps 1 to k has matched. For each row, from the last step to the first:

1. where the step before has a sequence and the row meets the step's condition in it, the sequence moves on to the step
   (one that stood there is lost);
2. else, where the step has a sequence, or is the first, and the row meets the condition in it, the row takes its place.

Source: learn.microsoft.com/kusto/query/scan-operator (matching logic)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pyspark.sql import Column

from lakehunt.kql import plan as p
from lakehunt.kql.types import LONG, Schema, Type
from lakehunt.spark.columns import F
from lakehunt.spark.expressions import Expressions
from lakehunt.spark.values import literal, spark_type

Resolve = Callable[[str], Column]


class Machine:
    """The steps of one `scan`. `rows` are an ARRAY of STRUCTs of the source's columns."""

    def __init__(self, plan: p.ScanRows, source: Schema, expressions: Callable[[Resolve], Expressions]) -> None:
        self.plan = plan
        self.source = source
        self.expressions = expressions
        self.declared = dict(plan.declared)
        self.kept: list[tuple[str, Type]] = [(c.name, c.type) for c in source]
        self.kept += [(name, value.type) for name, value in plan.declared]

    def matches(self, rows: Column) -> Column:
        """ARRAY<STRUCT<row, match, declared...>>: the matches in order, with their row numbers from 0."""
        return F.aggregate(rows, self._start(), self._after, lambda state: state["out"])

    # Fields of these structs are named by number, so that columns and steps can have any name.

    def _record(self) -> str:
        fields = ", ".join(f"f{i}: {spark_type(t)}" for i, (_, t) in enumerate(self.kept))
        return f"struct<{fields}>"

    def _sequence(self) -> str:
        steps = ", ".join(f"s{i}: {self._record()}" for i in range(len(self.plan.steps)))
        return f"struct<match: bigint, {steps}>"

    def _output(self) -> str:
        declared = "".join(f", d{i}: {spark_type(v.type)}" for i, (_, v) in enumerate(self.plan.declared))
        return f"array<struct<row: bigint, match: bigint{declared}>>"

    def _field(self, name: str) -> str:
        return f"f{[n for n, _ in self.kept].index(name)}"

    def _start(self) -> Column:
        return F.struct(
            F.lit(0).cast("bigint").alias("row"),
            F.lit(0).cast("bigint").alias("next"),
            *(F.lit(None).cast(self._sequence()).alias(f"at{i}") for i in range(len(self.plan.steps))),
            F.array().cast(self._output()).alias("out"),
        )

    def _after(self, state: Column, row: Column) -> Column:
        count = len(self.plan.steps)
        sequences = [state[f"at{i}"] for i in range(count)]
        out, following = state["out"], state["next"]
        for k in reversed(range(count)):
            step = self.plan.steps[k]
            moved = F.lit(False)
            made = sequences[k]
            if k > 0:
                before = sequences[k - 1]
                moved = before.isNotNull() & F.coalesce(self._holds(step, row, before), F.lit(False))
                made = F.when(moved, self._with(step, row, before, before["match"]))
                sequences[k - 1] = F.when(~moved, before)
            here = sequences[k]
            active = here.isNotNull() if k > 0 else F.lit(True)
            stays = ~moved & active & F.coalesce(self._holds(step, row, here), F.lit(False))
            match = F.coalesce(here["match"], following)
            replaced = self._with(step, row, here, match)
            result = (
                F.when(moved, made).when(stays, replaced).otherwise(here)
                if k > 0
                else F.when(stays, replaced).otherwise(here)
            )
            if k == 0:
                following = F.when(stays & here.isNull(), following + 1).otherwise(following)
            if step.output != "none":
                line = self._line(state["row"], result, step)
                out = F.when(moved | stays, F.concat(out, F.array(line))).otherwise(out)
            sequences[k] = result.cast(self._sequence())
        return F.struct(
            (state["row"] + 1).alias("row"),
            following.alias("next"),
            *(s.alias(f"at{i}") for i, s in enumerate(sequences)),
            out.cast(self._output()).alias("out"),
        )

    def _holds(self, step: p.Step, row: Column, sequence: Column) -> Column:
        return self.expressions(self._resolve(row, sequence)).compile(step.condition)

    def _resolve(self, row: Column, sequence: Column) -> Resolve:
        """A bare name is the row's column, or a declared column's default; `step.name` is the value in the sequence."""

        def value(name: str) -> Column:
            for i, step in enumerate(self.plan.steps):
                if name.startswith(f"{step.name}."):
                    inner = name.removeprefix(f"{step.name}.")
                    found = sequence[f"s{i}"][self._field(inner)]
                    if inner in self.declared:
                        return F.when(sequence[f"s{i}"].isNotNull(), found).otherwise(self._default(inner))
                    return found
            return self._default(name) if name in self.declared else row[name]

        return value

    def _default(self, name: str) -> Column:
        value = self.declared[name]
        return literal(value.value, value.type) if isinstance(value, p.Const) else F.lit(None)

    def _with(self, step: p.Step, row: Column, sequence: Column, match: Column) -> Column:
        """The sequence with the row, and the step's assignments, as its last match of the step."""
        compiled = self.expressions(self._resolve(row, sequence))
        assigned = {name: compiled.compile(value) for name, value in step.assignments}
        fields = [row[c.name] for c in self.source]
        for name, value in self.plan.declared:
            given = assigned[name] if name in assigned else self._default(name)
            fields.append(given.cast(spark_type(value.type)))
        record = F.struct(*(f.alias(f"f{i}") for i, f in enumerate(fields))).cast(self._record())
        steps = [
            (record if other is step else sequence[f"s{i}"]).alias(f"s{i}") for i, other in enumerate(self.plan.steps)
        ]
        return F.struct(match.cast(spark_type(LONG)).alias("match"), *steps).cast(self._sequence())

    def _line(self, number: Column, sequence: Column, step: p.Step) -> Column:
        last = sequence[f"s{self.plan.steps.index(step)}"]
        declared = [last[self._field(name)].alias(f"d{i}") for i, (name, _) in enumerate(self.plan.declared)]
        return F.struct(number.alias("row"), sequence["match"].alias("match"), *declared)


def columns_of(rows: Column, match: Column, plan: p.ScanRows, source: Sequence[str]) -> list[Column]:
    """The result columns of one match: the source columns of its row, and the declared ones."""
    row = F.get(rows, match["row"].cast("int"))
    made = [row[name].alias(name) for name in source]
    made += [match[f"d{i}"].alias(name) for i, (name, _) in enumerate(plan.declared)]
    return [*made, match["match"].alias(plan.match_id)] if plan.match_id else made
