import com.google.common.geometry.S2EdgeUtil;
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
        return point == null || polygons == null ? null : Boolean.valueOf(GeoEdges.contain(polygons, point));
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
        if (GeoEdges.contain(polygons, point)) {
            return point;
        }
        S2Point best = null;
        List edges = GeoEdges.of(polygons);
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            S2Point found = S2EdgeUtil.getClosestPoint(point, edge[0], edge[1]);
            if (best == null || found.angle(point) < best.angle(point)) {
                best = found;
            }
        }
        return best;
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
        List edges = GeoEdges.of(one);
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
    private static S2Polygon union(List polygons) {
        return polygons == null ? null : GeoOverlay.union(polygons).polygon();
    }
}
