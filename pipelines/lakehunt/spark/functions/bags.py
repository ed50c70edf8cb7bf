"""Functions of property bags and of JSON. Source: learn.microsoft.com/kusto/query/scalar-functions (dynamic functions);
where it is silent, the engine's answers.

For values that are not bags the result is null, unless stated otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from pyspark.sql import Column

from lakehunt.kql.catalog import NOT_DYNAMIC, Any, Constant, Text
from lakehunt.kql.types import BOOL, DYNAMIC, STRING, Type
from lakehunt.spark import dynamic
from lakehunt.spark.columns import F
from lakehunt.spark.functions.compiled import java_function
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.functions.strings import refuse
from lakehunt.spark.values import named

Path = tuple[str, ...]
"""The names that lead to a property, from the root."""


def path_of(key: str) -> Path | None:
    """`$.a['b c'].d` is a path, anything else a name at the root; None where it has an index or is the root."""
    if not re.match(r"\$[.\[]|\$$", key):
        return (key,)
    steps = re.findall(r"\.([^.\[\]]+)|\['([^']*)'\]|\[\"([^\"]*)\"\]", key[1:])
    written = re.sub(r"\.[^.\[\]]+|\['[^']*'\]|\[\"[^\"]*\"\]", "", key[1:])
    return tuple("".join(step) for step in steps) if steps and not written else None


@scalar("parse_json parsejson todynamic toobject", DYNAMIC, returns=DYNAMIC)
def parse_json_of_dynamic(value: Column) -> Column:
    return value


@scalar("parse_json parsejson todynamic toobject", STRING, returns=DYNAMIC)
def parse_json(text: Column) -> Column:
    """Text that is not JSON becomes a string, the empty text null."""
    return dynamic.parsed(text)


@scalar("gettype", DYNAMIC, returns=STRING)
def gettype_of_dynamic(value: Column) -> Column:
    return dynamic.kind(value)


@scalar("gettype", NOT_DYNAMIC, returns=STRING, typed=True)
def gettype(types: tuple[Type, ...], value: Column) -> Column:
    return F.lit(types[0].name)


@scalar("bag_keys", DYNAMIC, returns=DYNAMIC)
def bag_keys(bag: Column) -> Column:
    return dynamic.array(F.transform(dynamic.properties(bag), lambda p: dynamic.encoded(p["n"], STRING)))


@scalar("bag_has_key", DYNAMIC, STRING, returns=BOOL)
def bag_has_key(bag: Column, key: Column) -> Column:
    """A key that starts with `$.` or `$[` is a path."""

    def found(p: Column) -> Column:
        steps = F.split(F.regexp_replace(p["key"], r"\[['\"]([^'\"]*)['\"]\]|\.([^.\[]+)", "\x01$1$2"), "\x01")
        parent = F.aggregate(F.slice(steps, 2, F.greatest(F.size(steps) - 2, F.lit(0))), p["bag"], dynamic.property_of)
        deep = F.size(steps) > 1
        there = _has(parent, F.element_at(steps, -1))
        is_path = p["key"].rlike(r"^\$[.\[]") & deep
        return F.when(dynamic.is_bag(p["bag"]), F.when(is_path, there).otherwise(_has(p["bag"], p["key"])))

    return named(F.struct(bag.alias("bag"), key.alias("key")), found)


def _has(bag: Column, name: Column) -> Column:
    return F.coalesce(F.exists(dynamic.properties(bag), lambda p: p["n"] == name), F.lit(False))


@scalar("bag_merge", DYNAMIC, DYNAMIC, rest=(DYNAMIC,), returns=DYNAMIC)
def bag_merge(*bags: Column) -> Column:
    """The first value of a key wins. Arguments that are not bags are ignored."""
    none = F.array().cast("array<struct<n:string,t:string>>")
    return dynamic.bag_of_properties(F.concat(*(F.coalesce(dynamic.properties(b), none) for b in bags)))


@scalar("bag_pack pack pack_dictionary", STRING, Any(), rest=(STRING, Any()), returns=DYNAMIC, typed=True)
def bag_pack(types: tuple[Type, ...], *args: Column) -> Column:
    values = (dynamic.encoded(v, t) for v, t in zip(args[1::2], types[1::2], strict=True))
    return dynamic.bag_of(list(zip(args[::2], values, strict=True)))


@scalar("bag_pack.filled", STRING, Any(), rest=(STRING, Any()), returns=DYNAMIC, typed=True)
def bag_pack_filled(types: tuple[Type, ...], *args: Column) -> Column:
    """`pack_all(true)`: without nulls and empty texts."""
    pairs = dynamic.properties(bag_pack(types, *args))
    return dynamic.bag_of_properties(F.filter(pairs, lambda p: ~p["t"].isin(dynamic.NULL, '""')))


@scalar("bag_remove_keys.varying", DYNAMIC, DYNAMIC, returns=DYNAMIC)
def bag_remove_keys_of_rows(bag: Column, keys: Column) -> Column:
    """The bag without some keys, which differ from row to row."""
    names = F.transform(dynamic.elements(keys), dynamic.text)
    paths = F.exists(names, lambda name: name.startswith("$"))

    def kept(known: Column) -> Column:
        return F.filter(dynamic.properties(bag), lambda p: ~F.array_contains(known, p["n"]))

    left = F.when(names.isNull(), bag).otherwise(dynamic.bag_of_properties(named(names, kept)))
    return refuse(paths, "paths in bag_remove_keys must be constants", left)


@scalar("bag_remove_keys", DYNAMIC, Constant(DYNAMIC), returns=DYNAMIC)
def bag_remove_keys(bag: Column, keys: object) -> Column:
    """The bag without some keys or paths."""
    given = [path_of(key) for key in keys if isinstance(key, str)] if isinstance(keys, list) else []
    return _without(bag, [path for path in given if path])


def _without(bag: Column, paths: Sequence[Path]) -> Column:
    gone = dict.fromkeys(path[0] for path in paths if len(path) == 1)  # in their order: the plan is the same each time
    inner = {path[0]: [p[1:] for p in paths if p[0] == path[0]] for path in paths if path[0] not in gone}

    def change(pairs: Column) -> Column:
        kept = F.filter(pairs, lambda p: ~p["n"].isin(*gone)) if gone else pairs
        return F.transform(kept, _changing({name: _removal(rest) for name, rest in inner.items()}))

    return dynamic.bag_of_properties(named(dynamic.properties(bag), change))


def _removal(paths: Sequence[Path]) -> Callable[[Column], Column]:
    return lambda value: F.coalesce(_without(value, paths), value)


def _changing(changes: dict[str, Callable[[Column], Column]]) -> Callable[[Column], Column]:
    """A function of a property that changes the values of some names."""

    def changed(pair: Column) -> Column:
        text = pair["t"]
        for name, change in changes.items():
            text = F.when(pair["n"] == name, change(pair["t"])).otherwise(text)
        return F.struct(pair["n"].alias("n"), text.alias("t"))

    return changed


@scalar("bag_set_key", DYNAMIC, Constant(STRING), Any(), returns=DYNAMIC, typed=True)
def bag_set_key(types: tuple[Type, ...], bag: Column, key: str | None, value: Column) -> Column:
    """The bag with a value at a key or a path, whose bags are made where they are missing; null where the path has an
    index or is the root. A key that gets a value goes to the end."""
    path = path_of(key or "")
    if path is None:
        return F.lit(None).cast("string")
    return _with(bag, path, dynamic.encoded(value, types[2]))


def _with(bag: Column, path: Path, text: Column) -> Column:
    name, *rest = path

    def change(pairs: Column) -> Column:
        old = F.get(F.filter(pairs, lambda p: p["n"] == name), F.lit(0))["t"]
        inner = F.when(dynamic.is_bag(old), old).otherwise("{}")
        new = _with(inner, tuple(rest), text) if rest else F.coalesce(text, F.lit(dynamic.NULL))
        added = F.struct(F.lit(name).alias("n"), new.alias("t"))
        return F.concat(F.filter(pairs, lambda p: p["n"] != name), F.array(added))

    return dynamic.bag_of_properties(named(dynamic.properties(bag), change))


@scalar("bag_zip", DYNAMIC, DYNAMIC, returns=DYNAMIC)
def bag_zip(keys: Column, values: Column) -> Column:
    """A key that is not a string is left out with its value; a key without a value has null."""

    def pairs(arrays: Column) -> Column:
        made = F.transform(
            arrays["keys"],
            lambda k, i: F.struct(
                F.when(dynamic.is_string(k), dynamic.text(k)).alias("n"), F.get(arrays["values"], i).alias("t")
            ),
        )
        return F.filter(made, lambda p: p["n"].isNotNull())

    arrays = F.struct(dynamic.elements(keys).alias("keys"), dynamic.elements(values).alias("values"))
    return dynamic.bag_of_properties(named(arrays, pairs))


@scalar("dynamic_to_json", DYNAMIC, returns=STRING)
def dynamic_to_json(value: Column) -> Column:
    """JSON with the keys of every bag in order; a string, as `tostring` gives it, without its quotes."""

    def canonical(json: Column) -> Column:
        return F.when(dynamic.is_array(json) | dynamic.is_bag(json), dynamic.sorted_keys(json)).otherwise(
            dynamic.text(json)
        )

    return F.coalesce(named(value, canonical), F.lit(""))


@scalar("dynamic_to_json", Text(), returns=STRING)
def dynamic_to_json_of_scalar(text: Column) -> Column:
    return text


@scalar("treepath", DYNAMIC, returns=DYNAMIC)
def treepath(value: Column) -> Column:
    """The paths to everything in a bag or an array; `[0]` stands for any element."""
    composite = F.when(dynamic.is_bag(value) | dynamic.is_array(value), value)
    return F.to_json(java_function("treepath", "array<string>", composite))
