"""Geospatial functions of points and of cells. Source: learn.microsoft.com/kusto/query/geospatial-grid-systems and the
functions' pages; where they are silent, the engine's answers.

As in Kusto, the Earth is a sphere and its cells are those of geohash, of S2 and of H3, computed by the libraries that
define the latter two. What is not valid gives null, or an empty string."""

from __future__ import annotations

from pyspark.sql import Column

from lakehunt.kql.catalog import INTEGER, NUMBER, Parameter
from lakehunt.kql.types import BOOL, DYNAMIC, INT, REAL, STRING, Type
from lakehunt.runtime.libraries import H3, S2
from lakehunt.spark.columns import F
from lakehunt.spark.functions.java_calls import JavaClasses
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.values import SPARK_TYPES

SPHERE = JavaClasses(
    (
        "GeoJson",
        "GeoPoints",
        "GeoCells",
        "GeoLines",
        "GeoRegion",
        "GeoEdges",
        "GeoArrangement",
        "GeoOverlay",
        "GeoPolygons",
        "GeoBuffers",
        "GeoCoverings",
        "GeoWkt",
    ),
    (S2,),
)
HEXAGONS = JavaClasses(("GeoJson", "H3Cells"), (S2, H3))

PLACE = (NUMBER, NUMBER)
"""Longitude and latitude in degrees."""


def geo(
    name: str,
    classes: JavaClasses,
    method: str,
    *parameters: Parameter,
    returns: Type,
    defaults: tuple[float | bool, ...] = (),
) -> None:
    """Registers a function with the method (`GeoPoints.distance`) that computes it; `defaults` are the values of its
    last parameters, which may be omitted."""

    def computed(*arguments: Column) -> Column:
        missing = len(parameters) - len(arguments)
        given = [*arguments, *(F.lit(value) for value in defaults[len(defaults) - missing :] if missing)]
        typed = [_converted(value, wanted) for value, wanted in zip(given, parameters, strict=True)]
        owner, _, called = method.partition(".")
        return classes.call(owner, called, SPARK_TYPES[returns], typed)

    scalar(name, *parameters, returns=returns, optional=len(defaults))(computed)


def _converted(value: Column, wanted: Parameter) -> Column:
    if wanted in (NUMBER, REAL):
        return value.cast("double")
    return value.cast("bigint") if wanted == INTEGER else value


geo("geo_distance_2points", SPHERE, "GeoPoints.distance", *PLACE, *PLACE, returns=REAL)
geo("geo_azimuth", SPHERE, "GeoPoints.azimuth", *PLACE, *PLACE, returns=REAL)
geo("geo_angle", SPHERE, "GeoPoints.angle", *PLACE, *PLACE, *PLACE, returns=REAL)
geo("geo_point_in_circle", SPHERE, "GeoPoints.inCircle", *PLACE, *PLACE, NUMBER, returns=BOOL)

geo("geo_point_to_geohash", SPHERE, "GeoPoints.toGeohash", *PLACE, INTEGER, returns=STRING, defaults=(5,))
geo("geo_geohash_to_central_point", SPHERE, "GeoPoints.geohashCenter", STRING, returns=DYNAMIC)
geo("geo_geohash_to_polygon", SPHERE, "GeoPoints.geohashPolygon", STRING, returns=DYNAMIC)
geo("geo_geohash_neighbors", SPHERE, "GeoPoints.geohashNeighbors", STRING, returns=DYNAMIC)

geo("geo_point_to_s2cell", SPHERE, "GeoCells.ofPoint", *PLACE, INTEGER, returns=STRING, defaults=(11,))
geo("geo_s2cell_to_central_point", SPHERE, "GeoCells.center", STRING, returns=DYNAMIC)
geo("geo_s2cell_to_polygon", SPHERE, "GeoCells.polygon", STRING, returns=DYNAMIC)
geo("geo_s2cell_neighbors", SPHERE, "GeoCells.neighbors", STRING, returns=DYNAMIC)

geo("geo_point_to_h3cell", HEXAGONS, "H3Cells.ofPoint", *PLACE, INTEGER, returns=STRING, defaults=(6,))
geo("geo_h3cell_to_central_point", HEXAGONS, "H3Cells.center", STRING, returns=DYNAMIC)
geo("geo_h3cell_to_polygon", HEXAGONS, "H3Cells.polygon", STRING, returns=DYNAMIC)
geo("geo_h3cell_level", HEXAGONS, "H3Cells.level", STRING, returns=INT)
geo("geo_h3cell_parent", HEXAGONS, "H3Cells.parent", STRING, returns=STRING)
geo("geo_h3cell_parent", HEXAGONS, "H3Cells.parentAt", STRING, INTEGER, returns=STRING)
geo("geo_h3cell_children", HEXAGONS, "H3Cells.children", STRING, returns=DYNAMIC)
geo("geo_h3cell_children", HEXAGONS, "H3Cells.childrenAt", STRING, INTEGER, returns=DYNAMIC)
geo("geo_h3cell_neighbors", HEXAGONS, "H3Cells.neighbors", STRING, returns=DYNAMIC)
geo("geo_h3cell_rings", HEXAGONS, "H3Cells.rings", STRING, INTEGER, returns=DYNAMIC)

geo("geo_line_length", SPHERE, "GeoLines.length", DYNAMIC, returns=REAL)
geo("geo_line_centroid", SPHERE, "GeoLines.centroid", DYNAMIC, returns=DYNAMIC)
geo("geo_line_interpolate_point", SPHERE, "GeoLines.interpolate", DYNAMIC, NUMBER, returns=DYNAMIC)
geo("geo_line_locate_point", SPHERE, "GeoLines.locate", DYNAMIC, *PLACE, returns=REAL)
geo("geo_distance_point_to_line", SPHERE, "GeoLines.distance", *PLACE, DYNAMIC, returns=REAL)
geo("geo_closest_point_on_line", SPHERE, "GeoLines.closestPoint", *PLACE, DYNAMIC, returns=DYNAMIC)

geo("geo_polygon_area", SPHERE, "GeoPolygons.area", DYNAMIC, returns=REAL)
geo("geo_polygon_perimeter", SPHERE, "GeoPolygons.perimeter", DYNAMIC, returns=REAL)
geo("geo_polygon_centroid", SPHERE, "GeoPolygons.centroid", DYNAMIC, returns=DYNAMIC)
geo("geo_point_in_polygon", SPHERE, "GeoPolygons.contains", *PLACE, DYNAMIC, returns=BOOL)
geo("geo_distance_point_to_polygon", SPHERE, "GeoPolygons.distance", *PLACE, DYNAMIC, returns=REAL)
geo("geo_closest_point_on_polygon", SPHERE, "GeoPolygons.closestPoint", *PLACE, DYNAMIC, returns=DYNAMIC)

geo("geo_from_wkt", SPHERE, "GeoWkt.shape", STRING, returns=DYNAMIC)

geo("geo_intersects_2lines", SPHERE, "GeoOverlay.linesIntersect", DYNAMIC, DYNAMIC, returns=BOOL)
geo("geo_intersects_2polygons", SPHERE, "GeoOverlay.polygonsIntersect", DYNAMIC, DYNAMIC, returns=BOOL)
geo("geo_intersects_line_with_polygon", SPHERE, "GeoOverlay.lineIntersectsPolygon", DYNAMIC, DYNAMIC, returns=BOOL)
geo("geo_intersection_2lines", SPHERE, "GeoOverlay.intersectionOfLines", DYNAMIC, DYNAMIC, returns=DYNAMIC)
geo("geo_intersection_2polygons", SPHERE, "GeoOverlay.intersectionOfPolygons", DYNAMIC, DYNAMIC, returns=DYNAMIC)
geo(
    "geo_intersection_line_with_polygon",
    SPHERE,
    "GeoOverlay.intersectionOfLineAndPolygon",
    DYNAMIC,
    DYNAMIC,
    returns=DYNAMIC,
)
geo("geo_union_lines_array", SPHERE, "GeoOverlay.unionOfLines", DYNAMIC, returns=DYNAMIC)
geo("geo_union_polygons_array", SPHERE, "GeoOverlay.unionOfPolygons", DYNAMIC, returns=DYNAMIC)

geo("geo_point_buffer", SPHERE, "GeoBuffers.ofPoint", *PLACE, NUMBER, NUMBER, returns=DYNAMIC, defaults=(10.0,))
geo("geo_line_buffer", SPHERE, "GeoBuffers.ofLine", DYNAMIC, NUMBER, NUMBER, returns=DYNAMIC, defaults=(10.0,))
geo("geo_polygon_buffer", SPHERE, "GeoBuffers.ofPolygon", DYNAMIC, NUMBER, NUMBER, returns=DYNAMIC, defaults=(10.0,))

geo("geo_line_to_s2cells", SPHERE, "GeoCoverings.ofLine", DYNAMIC, INTEGER, returns=DYNAMIC, defaults=(11,))
geo("geo_polygon_to_s2cells", SPHERE, "GeoCoverings.ofPolygon", DYNAMIC, INTEGER, returns=DYNAMIC, defaults=(11,))
