"""What is known of a dynamic value before a query runs: an array, a bag or another value. Columns are named after it,
and a step that a value cannot have is refused.

Source: the answers of Microsoft's binder to `f(...)[0]`, `f(...)["a"]` and further steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from lakehunt.kql import plan as p
from lakehunt.kql.types import DECIMAL, DYNAMIC, LONG, REAL, Shape, Type

ARRAY, BAG = Shape("array"), Shape("bag")


def _array(element: Shape | None) -> Shape:
    return Shape("array", element)


def _bag(properties: Mapping[str, Shape | None]) -> Shape:
    return Shape("bag", None, tuple(properties.items()))


def of(kind: Type) -> Shape | None:
    """The shape of a value of a type, as it is in a dynamic value."""
    if kind != DYNAMIC:
        return None if kind == DECIMAL else Shape(kind.name)
    if kind.shape is not None or kind.element is None:
        return kind.shape
    return _array(of(kind.element))


def is_value(shape: Shape | None) -> bool:
    """Whether it has no parts."""
    return shape is not None and shape.kind not in ("array", "bag")


def literal(value: object) -> Shape | None:
    """The shape of a `dynamic(...)` literal."""
    if isinstance(value, dict):
        return _bag({str(name): literal(part) for name, part in value.items()})
    if isinstance(value, list):
        return _array(_same([literal(part) for part in value]))
    for python, kind in _LITERALS:
        if isinstance(value, python):
            return Shape(kind)
    return None


_LITERALS: tuple[tuple[type, str], ...] = ((bool, "bool"), (int, "long"), (float, "real"), (str, "string"))


def _same(shapes: Sequence[Shape | None]) -> Shape | None:
    """The shape that all have."""
    return shapes[0] if shapes and all(shape == shapes[0] for shape in shapes) else None


def part(shape: Shape | None, step: object) -> Shape | None:
    """The shape of what a step leads to: a property's name, a position, or None if it is not a constant."""
    if shape is None:
        return None
    if shape.kind == "bag":
        return dict(shape.properties).get(str(step)) if isinstance(step, str) else None
    return shape.element if shape.kind == "array" and not isinstance(step, str) else None


def shaped(kind: Type, function: str, args: Sequence[p.Expr]) -> Type:
    """The type of a function's result, with its shape."""
    rule = _RULES.get(function.partition(".")[0])
    if kind != DYNAMIC or rule is None:
        return kind
    return replace(kind, shape=rule(args) if callable(rule) else rule)


def _of_first(args: Sequence[p.Expr]) -> Shape | None:
    return of(args[0].type) if args else None


def _of_branches(args: Sequence[p.Expr]) -> Shape | None:
    """Of `iff(condition, a, b)` and `case(condition, a, ..., b)`."""
    return _same([of(arg.type) for arg in (*args[1:-1:2], args[-1])])


def _of_all(args: Sequence[p.Expr]) -> Shape | None:
    return _same([of(arg.type) for arg in args])


def _array_of_first(args: Sequence[p.Expr]) -> Shape | None:
    return _array(_of_first(args))


def _array_of_all(args: Sequence[p.Expr]) -> Shape | None:
    return _array(_of_all(args))


def _set(args: Sequence[p.Expr]) -> Shape | None:
    return _of_all(args) or ARRAY


def _chosen(args: Sequence[p.Expr]) -> Shape | None:
    """Of `array_iff(conditions, a, b)`: an array of values, or as the array is."""
    first = _of_first(args[1:])
    return _array(first) if args[1].type != DYNAMIC else first


def _packed(args: Sequence[p.Expr]) -> Shape | None:
    names = [arg.value if isinstance(arg, p.Const) else None for arg in args[::2]]
    return _bag({str(n): of(a.type) for n, a in zip(names, args[1::2], strict=False) if isinstance(n, str)})


def _merged(args: Sequence[p.Expr]) -> Shape | None:
    found: dict[str, Shape | None] = {}
    for shape in (of(arg.type) for arg in args):
        if shape is None or shape.kind != "bag":
            return BAG
        found = {**dict(shape.properties), **found}
    return _bag(found)


def _with_key(args: Sequence[p.Expr]) -> Shape | None:
    before = _of_first(args)
    known = dict(before.properties) if before is not None and before.kind == "bag" else {}
    name = args[1].value if isinstance(args[1], p.Const) else None
    return _bag({**known, str(name): of(args[2].type)}) if isinstance(name, str) else _bag(known)


_TEXT = Shape("string")
_TEXTS, _REALS, _LONGS, _BOOLS = (_array(Shape(kind)) for kind in ("string", "real", "long", "bool"))

_PATH = _bag(
    dict.fromkeys(
        ("Scheme", "RootPath", "DirectoryPath", "DirectoryName", "Filename", "Extension", "AlternateDataStreamName"),
        _TEXT,
    )
)
_URL = _bag(
    {
        **dict.fromkeys(("Scheme", "Host", "Port", "Path", "Username", "Password", "Fragment"), _TEXT),
        "Query Parameters": None,
    }
)
_STATISTICS = _bag(
    {
        **dict.fromkeys(("min", "max", "avg", "stdev", "variance"), of(REAL)),
        **dict.fromkeys(("min_idx", "max_idx"), of(LONG)),
    }
)
_GEOMETRY = _bag({"type": _TEXT, "coordinates": None})

Rule = Callable[[Sequence[p.Expr]], Shape | None] | Shape

_FUNCTIONS: tuple[tuple[str, Rule], ...] = (
    ("array_reverse array_rotate_left array_rotate_right array_shift_left array_shift_right array_slice", _of_first),
    ("array_sort_asc array_sort_desc series_abs series_ceiling", _of_first),
    ("series_fill_backward series_fill_const series_fill_forward series_fill_linear", _of_first),
    ("array_concat coalesce", _of_all),
    ("array_iff array_iif", _chosen),
    ("iff iif case", _of_branches),
    ("pack_array", _array_of_all),
    ("array_split make_list make_list_if make_list_with_nulls makelist", _array_of_first),
    ("make_set make_set_if makeset range repeat", _array_of_first),
    ("set_union set_intersect set_difference", _set),
    ("base64_decode_toarray extract_all extractall hll hll_if hll_merge ipv4_range_to_cidr_list", ARRAY),
    ("merge_tdigest parse_csv percentiles_array percentilesw_array series_add series_floor series_multiply", ARRAY),
    ("series_subtract tdigest tdigest_merge to_utf8 unicode_codepoints_from_string", ARRAY),
    ("bag_keys geo_geohash_neighbors geo_h3cell_children geo_h3cell_neighbors geo_line_to_s2cells", _TEXTS),
    ("geo_polygon_to_s2cells geo_s2cell_neighbors parse_command_line split treepath", _TEXTS),
    ("jaccard_index series_acos series_asin series_atan series_cos series_divide series_exp series_fir", _REALS),
    ("series_iir series_log series_pow series_sin series_tan", _REALS),
    ("series_sign", _LONGS),
    ("series_equals series_greater series_greater_equals series_less series_less_equals series_not_equals", _BOOLS),
    ("geo_h3cell_rings zip", _array(ARRAY)),
    ("bag_remove_keys bag_zip buildschema make_bag make_bag_if make_dictionary series_fit_line_dynamic", BAG),
    ("bag_pack pack pack_dictionary", _packed),
    ("bag_merge", _merged),
    ("bag_set_key", _with_key),
    ("parse_path", _PATH),
    ("parse_url parseurl", _URL),
    ("parse_urlquery parseurlquery", _bag({"Query Parameters": None})),
    ("series_stats_dynamic", _STATISTICS),
    ("geo_closest_point_on_line geo_closest_point_on_polygon geo_from_wkt geo_geohash_to_central_point", _GEOMETRY),
    ("geo_geohash_to_polygon geo_h3cell_to_central_point geo_h3cell_to_polygon geo_intersection_2lines", _GEOMETRY),
    ("geo_intersection_2polygons geo_intersection_line_with_polygon geo_line_buffer geo_line_centroid", _GEOMETRY),
    ("geo_line_interpolate_point geo_point_buffer geo_polygon_buffer geo_polygon_centroid", _GEOMETRY),
    ("geo_s2cell_to_central_point geo_s2cell_to_polygon geo_union_lines_array geo_union_polygons_array", _GEOMETRY),
)

_RULES: dict[str, Rule] = {name: rule for names, rule in _FUNCTIONS for name in names.split()}
"""What is known of the results of functions."""
