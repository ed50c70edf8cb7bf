import com.google.common.geometry.S1Angle;
import com.google.common.geometry.S1ChordAngle;
import com.google.common.geometry.S2;
import com.google.common.geometry.S2Loop;
import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polygon;
import com.google.common.geometry.S2Polyline;
import java.util.ArrayList;
import java.util.List;

/**
 * Everything within a radius of a shape, with arcs that differ from a circle's by no more than a tolerance.
 *
 * <p>The steps of S2's S2BufferOperation, which its Java library does not have: a path is offset to its right, with an
 * arc around each convex vertex, and the buffer is what the path winds around.
 */
public final class GeoBuffers {
    private static final double LEAST_FRACTION = 1e-6;

    /** Kusto has the fraction of the radius by which an arc may differ as a float: it shows in the tenth digit. */
    private static final float MOST_FRACTION = Math.nextDown(1f);

    private final S1ChordAngle radius;
    private final S1ChordAngle step;
    private final S1ChordAngle pointStep;
    private final S1ChordAngle edgeStep;
    private final List path = new ArrayList();

    private GeoBuffers(double radians, double error) {
        radius = S1ChordAngle.fromS1Angle(S1Angle.radians(radians));
        double widest = widest(radians, error);
        step = chord(widest);
        pointStep = chord(2 * Math.PI / Math.ceil(2 * Math.PI / widest) + 1e-15);
        edgeStep = chord(widest(Math.PI / 2 - radians, error));
    }

    /** The buffer's maker; null if the radius or the tolerance is not valid. */
    private static GeoBuffers of(Double radius, Double tolerance) {
        if (radius == null || tolerance == null || !(radius.doubleValue() > 0) || !(tolerance.doubleValue() > 0)) {
            return null;
        }
        double fraction = tolerance.doubleValue() / radius.doubleValue();
        double radians = radius.doubleValue() / GeoPoints.RADIUS;
        boolean valid = fraction >= LEAST_FRACTION && radians < Math.PI / 2;
        return valid ? new GeoBuffers(radians, Math.min((float) fraction, MOST_FRACTION) * radians) : null;
    }

    private static S1ChordAngle chord(double radians) {
        return S1ChordAngle.fromS1Angle(S1Angle.radians(radians));
    }

    /** The widest angle of an arc's edge that differs from the circle by no more than the error. */
    private static double widest(double radius, double error) {
        double most = 2 * Math.PI / 3 + 1e-15;
        double least = Math.max(0, radius - error);
        return Math.min(most, 2 * Math.acos(Math.tan(least) / Math.tan(radius)));
    }

    public static String ofPoint(Double longitude, Double latitude, Double radius, Double tolerance) {
        S2Point point = GeoJson.point(longitude, latitude);
        GeoBuffers buffer = of(radius, tolerance);
        if (point == null || buffer == null) {
            return null;
        }
        buffer.circle(point);
        return GeoRegion.of(new S2Polygon(new S2Loop(buffer.path))).written();
    }

    /** In four quarters, as angles of chords end at half a circle. */
    private void circle(S2Point point) {
        S2Point start = S2.ortho(point);
        S1ChordAngle angle = S1ChordAngle.ZERO;
        for (int quarter = 0; quarter < 4; quarter++) {
            S2Point aside = point.crossProd(start).normalize();
            while (angle.compareTo(S1ChordAngle.RIGHT) < 0) {
                path.add(on(point, on(start, aside, angle), radius));
                angle = S1ChordAngle.add(angle, pointStep);
            }
            angle = S1ChordAngle.sub(angle, S1ChordAngle.RIGHT);
            start = aside;
        }
    }

    /** The point at an angle from one into a direction at a right angle to it. */
    private static S2Point on(S2Point from, S2Point direction, S1ChordAngle angle) {
        return from.mul(S1ChordAngle.cos(angle)).add(direction.mul(S1ChordAngle.sin(angle))).normalize();
    }

    public static String ofPolygon(String json, Double radius, Double tolerance) {
        List polygons = GeoJson.polygons(json);
        if (polygons == null || of(radius, tolerance) == null) {
            return null;
        }
        GeoArrangement all = new GeoArrangement();
        List shapes = GeoOverlay.union(polygons).rings();
        List rings = new ArrayList();
        for (int i = 0; i < shapes.size(); i++) {
            rings.addAll((List) shapes.get(i));
        }
        for (int i = 0; i < rings.size(); i++) {
            GeoBuffers buffer = of(radius, tolerance);
            List vertices = (List) rings.get(i);
            for (int j = 0; j < vertices.size(); j++) {
                buffer.edgeAndVertex(at(vertices, j), at(vertices, j + 1), at(vertices, j + 2));
            }
            all.add(buffer.path);
        }
        return all.region(1).written();
    }

    public static String ofLine(String json, Double radius, Double tolerance) {
        List lines = GeoJson.lines(json);
        if (lines == null || of(radius, tolerance) == null) {
            return null;
        }
        GeoArrangement all = new GeoArrangement();
        for (int i = 0; i < lines.size(); i++) {
            GeoBuffers buffer = of(radius, tolerance);
            buffer.around(((S2Polyline) lines.get(i)).vertices());
            all.add(buffer.path);
        }
        return all.region(1).written();
    }

    private static S2Point at(List points, int place) {
        return (S2Point) points.get(place % points.size());
    }

    private void around(List line) {
        int count = line.size();
        S2Point begin = axis(at(line, 0), at(line, 1));
        arc(at(line, 0), begin.neg(), begin);
        for (int i = 0; i + 2 < count; i++) {
            edgeAndVertex(at(line, i), at(line, i + 1), at(line, i + 2));
        }
        edge(at(line, count - 2), at(line, count - 1));
        S2Point end = axis(at(line, count - 2), at(line, count - 1));
        arc(at(line, count - 1), end, end.neg());
        for (int i = count - 3; i >= 0; i--) {
            edgeAndVertex(at(line, i + 2), at(line, i + 1), at(line, i));
        }
        edge(at(line, 1), at(line, 0));
    }

    private void edgeAndVertex(S2Point a, S2Point b, S2Point c) {
        edge(a, b);
        if (a.crossProd(b).dotProd(c) >= 0) {
            arc(b, axis(a, b), axis(b, c));
        } else {
            path.add(on(b, axis(a, b), radius));
            path.add(b);
        }
    }

    /** The direction to the right of an edge. */
    private static S2Point axis(S2Point a, S2Point b) {
        return S2.robustCrossProd(b, a).normalize();
    }

    private void edge(S2Point a, S2Point b) {
        S2Point axis = axis(a, b);
        S2Point ahead = axis.crossProd(a).normalize();
        S1ChordAngle span = new S1ChordAngle(a, b);
        S1ChordAngle angle = S1ChordAngle.ZERO;
        do {
            path.add(on(on(a, ahead, angle), axis, radius));
            angle = S1ChordAngle.add(angle, edgeStep);
        } while (angle.compareTo(span) < 0);
    }

    private void arc(S2Point vertex, S2Point start, S2Point end) {
        S2Point aside = vertex.crossProd(start).normalize();
        S1ChordAngle span = new S1ChordAngle(start, end);
        S1ChordAngle angle = S1ChordAngle.ZERO;
        do {
            path.add(on(vertex, on(start, aside, angle), radius));
            angle = S1ChordAngle.add(angle, step);
        } while (angle.compareTo(span) < 0);
    }
}
