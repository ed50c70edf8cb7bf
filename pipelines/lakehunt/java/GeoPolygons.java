import com.google.common.geometry.S2EdgeUtil;
import com.google.common.geometry.S2Loop;
import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polygon;
import java.util.ArrayList;
import java.util.List;

/** Measures of polygons, and where points are to them. */
public final class GeoPolygons {
    private GeoPolygons() {}

    /** Whether a polygon contains a point: of those that share a boundary exactly one does. */
    public static Boolean contains(Double longitude, Double latitude, String json) {
        S2Point point = GeoJson.point(longitude, latitude);
        List polygons = GeoJson.polygons(json);
        return point == null || polygons == null ? null : Boolean.valueOf(contains(polygons, point));
    }

    static boolean contains(List polygons, S2Point point) {
        for (int i = 0; i < polygons.size(); i++) {
            if (((S2Polygon) polygons.get(i)).contains(point)) {
                return true;
            }
        }
        return false;
    }

    public static Double distance(Double longitude, Double latitude, String json) {
        S2Point point = GeoJson.point(longitude, latitude);
        List polygons = GeoJson.polygons(json);
        return point == null || polygons == null
            ? null
            : Double.valueOf(closest(polygons, point).angle(point) * GeoPoints.RADIUS);
    }

    public static String closestPoint(Double longitude, Double latitude, String json) {
        S2Point point = GeoJson.point(longitude, latitude);
        List polygons = GeoJson.polygons(json);
        return point == null || polygons == null ? null : GeoJson.written(closest(polygons, point));
    }

    private static S2Point closest(List polygons, S2Point point) {
        if (contains(polygons, point)) {
            return point;
        }
        S2Point best = null;
        List edges = edges(polygons);
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            S2Point found = S2EdgeUtil.getClosestPoint(point, edge[0], edge[1]);
            if (best == null || found.angle(point) < best.angle(point)) {
                best = found;
            }
        }
        return best;
    }

    /** The edges of polygons as arrays of two points, with the inside on the left. */
    static List edges(List polygons) {
        List edges = new ArrayList();
        for (int i = 0; i < polygons.size(); i++) {
            S2Polygon polygon = (S2Polygon) polygons.get(i);
            for (int j = 0; j < polygon.numLoops(); j++) {
                S2Loop loop = polygon.loop(j);
                for (int k = 0; k < loop.numVertices(); k++) {
                    edges.add(new S2Point[] {loop.orientedVertex(k), loop.orientedVertex(k + 1)});
                }
            }
        }
        return edges;
    }

    public static Double area(String json) {
        S2Polygon union = union(GeoJson.polygons(json));
        return union == null ? null : Double.valueOf(union.getArea() * GeoPoints.RADIUS * GeoPoints.RADIUS);
    }

    public static Double perimeter(String json) {
        S2Polygon union = union(GeoJson.polygons(json));
        if (union == null) {
            return null;
        }
        List one = new ArrayList();
        one.add(union);
        List edges = edges(one);
        double length = 0;
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            length += edge[0].angle(edge[1]);
        }
        return Double.valueOf(length * GeoPoints.RADIUS);
    }

    public static String centroid(String json) {
        S2Polygon union = union(GeoJson.polygons(json));
        return union == null || union.getCentroid().norm() == 0 ? null : GeoJson.written(union.getCentroid().normalize());
    }

    /** The polygons as one; null for null. */
    static S2Polygon union(List polygons) {
        if (polygons == null || polygons.size() == 1) {
            return polygons == null ? null : (S2Polygon) polygons.get(0);
        }
        return S2Polygon.union(polygons);
    }
}
