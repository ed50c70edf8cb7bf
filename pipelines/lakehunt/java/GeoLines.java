import com.google.common.geometry.S2;
import com.google.common.geometry.S2EdgeUtil;
import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polyline;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Measures of lines, and points on them. An edge that several lines of a shape share counts once. */
public final class GeoLines {
    private GeoLines() {}

    /** The edges of lines as arrays of two points, each once in any direction. */
    public static List edges(List lines) {
        List edges = new ArrayList();
        Set seen = new HashSet();
        for (int i = 0; i < lines.size(); i++) {
            S2Polyline line = (S2Polyline) lines.get(i);
            for (int j = 1; j < line.numVertices(); j++) {
                S2Point from = line.vertex(j - 1);
                S2Point to = line.vertex(j);
                List ends = new ArrayList();
                ends.add(from.lessThan(to) ? from : to);
                ends.add(from.lessThan(to) ? to : from);
                if (seen.add(ends)) {
                    edges.add(new S2Point[] {from, to});
                }
            }
        }
        return edges;
    }

    public static Double length(String json) {
        List lines = GeoJson.lines(json);
        if (lines == null) {
            return null;
        }
        List edges = edges(lines);
        double length = 0;
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            length += edge[0].angle(edge[1]);
        }
        return Double.valueOf(length * GeoPoints.RADIUS);
    }

    public static String centroid(String json) {
        List lines = GeoJson.lines(json);
        if (lines == null) {
            return null;
        }
        List edges = edges(lines);
        S2Point sum = new S2Point();
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            sum = sum.add(S2.trueCentroid(edge[0], edge[1]));
        }
        return sum.norm() == 0 ? null : GeoJson.written(sum.normalize());
    }

    public static Double distance(Double longitude, Double latitude, String json) {
        S2Point point = GeoJson.point(longitude, latitude);
        List lines = GeoJson.lines(json);
        return point == null || lines == null ? null : Double.valueOf(closest(point, lines).angle(point) * GeoPoints.RADIUS);
    }

    public static String closestPoint(Double longitude, Double latitude, String json) {
        S2Point point = GeoJson.point(longitude, latitude);
        List lines = GeoJson.lines(json);
        return point == null || lines == null ? null : GeoJson.written(closest(point, lines));
    }

    private static S2Point closest(S2Point point, List lines) {
        S2Point best = null;
        for (int i = 0; i < lines.size(); i++) {
            S2Polyline line = (S2Polyline) lines.get(i);
            for (int j = 1; j < line.numVertices(); j++) {
                S2Point found = S2EdgeUtil.getClosestPoint(point, line.vertex(j - 1), line.vertex(j));
                if (best == null || found.angle(point) < best.angle(point)) {
                    best = found;
                }
            }
        }
        return best;
    }

    /** The point at a fraction of a line's length, from 0 to 1. */
    public static String interpolate(String json, Double fraction) {
        S2Polyline line = single(json);
        boolean valid = line != null && fraction != null && fraction.doubleValue() >= 0 && fraction.doubleValue() <= 1;
        return valid ? GeoJson.written(line.interpolate(fraction.doubleValue())) : null;
    }

    /** The fraction of a line's length at which it is closest to a point. */
    public static Double locate(String json, Double longitude, Double latitude) {
        S2Polyline line = single(json);
        S2Point point = GeoJson.point(longitude, latitude);
        if (line == null || point == null) {
            return null;
        }
        int nearest = line.getNearestEdgeIndex(point);
        double before = line.vertex(nearest).angle(line.projectToEdge(point, nearest));
        double all = 0;
        for (int i = 1; i < line.numVertices(); i++) {
            double length = line.vertex(i - 1).angle(line.vertex(i));
            before += i <= nearest ? length : 0;
            all += length;
        }
        return Double.valueOf(Math.min(1, before / all));
    }

    private static S2Polyline single(String json) {
        List lines = GeoJson.lines(json);
        return lines == null || lines.size() > 1 ? null : (S2Polyline) lines.get(0);
    }
}
