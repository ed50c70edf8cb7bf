import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.common.geometry.S2LatLng;
import com.google.common.geometry.S2Loop;
import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polygon;
import com.google.common.geometry.S2Polyline;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads and writes shapes in GeoJSON (RFC 7946), as Kusto has them: edges are geodesics on a sphere, and what is not
 * valid is null.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas. So are the other classes of this folder.
 */
public final class GeoJson {
    /** Shapes that a thread keeps: those of constants are needed for every row. */
    private static final int KEPT = 64;

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Object INVALID = new Object();
    private static final ThreadLocal POLYGONS = new ThreadLocal();
    private static final ThreadLocal LINES = new ThreadLocal();

    private GeoJson() {}

    /** A valid point, or null. */
    public static S2Point point(Double longitude, Double latitude) {
        if (longitude == null || latitude == null) {
            return null;
        }
        double east = longitude.doubleValue();
        double north = latitude.doubleValue();
        boolean valid = east >= -180 && east <= 180 && north >= -90 && north <= 90;
        return valid ? S2LatLng.fromDegrees(north, east).toPoint() : null;
    }

    /** The S2Polyline objects of a LineString or MultiLineString; null if it is not a valid one. */
    public static List lines(String json) {
        if (json == null) {
            return null;
        }
        Map kept = kept(LINES);
        Object found = kept.get(json);
        if (found == null) {
            List read = linesOf(tree(json));
            found = read == null ? INVALID : read;
            kept.put(json, found);
        }
        return found == INVALID ? null : (List) found;
    }

    /** The S2Polygon objects of a Polygon or MultiPolygon; null if it is not a valid one. */
    public static List polygons(String json) {
        if (json == null) {
            return null;
        }
        Map kept = kept(POLYGONS);
        Object found = kept.get(json);
        if (found == null) {
            List read = polygonsOf(tree(json));
            found = read == null ? INVALID : read;
            kept.put(json, found);
        }
        return found == INVALID ? null : (List) found;
    }

    private static Map kept(ThreadLocal holder) {
        Map kept = (Map) holder.get();
        if (kept == null) {
            kept = new LinkedHashMap();
            holder.set(kept);
        } else if (kept.size() >= KEPT) {
            kept.remove(kept.keySet().iterator().next());
        }
        return kept;
    }

    /** The texts of an array's elements; null if it is not an array. */
    public static List elements(String json) {
        JsonNode array = json == null ? null : tree(json);
        if (array == null || !array.isArray()) {
            return null;
        }
        List texts = new ArrayList();
        for (int i = 0; i < array.size(); i++) {
            texts.add(at(array, i).toString());
        }
        return texts;
    }

    private static JsonNode tree(String json) {
        try {
            return JSON.readTree(json);
        } catch (java.io.IOException notJson) {
            return null;
        }
    }

    private static List linesOf(JsonNode shape) {
        List lines = new ArrayList();
        JsonNode coordinates = coordinates(shape);
        if (coordinates != null && isType(shape, "LineString")) {
            lines.add(line(coordinates));
        } else if (coordinates != null && isType(shape, "MultiLineString")) {
            for (int i = 0; i < coordinates.size(); i++) {
                lines.add(line(at(coordinates, i)));
            }
        }
        return lines.isEmpty() || lines.contains(null) ? null : lines;
    }

    private static S2Polyline line(JsonNode coordinates) {
        List points = points(coordinates);
        if (points == null || points.size() < 2) {
            return null;
        }
        S2Polyline line = new S2Polyline(points);
        return line.isValid() ? line : null;
    }

    private static List polygonsOf(JsonNode shape) {
        List polygons = new ArrayList();
        JsonNode coordinates = coordinates(shape);
        if (coordinates != null && isType(shape, "Polygon")) {
            polygons.add(polygon(coordinates));
        } else if (coordinates != null && isType(shape, "MultiPolygon")) {
            for (int i = 0; i < coordinates.size(); i++) {
                polygons.add(polygon(at(coordinates, i)));
            }
        }
        return polygons.isEmpty() || polygons.contains(null) ? null : polygons;
    }

    /** A polygon of rings: each takes the smaller of the two regions that it divides the sphere into. */
    private static S2Polygon polygon(JsonNode rings) {
        List loops = new ArrayList();
        for (int i = 0; i < rings.size(); i++) {
            S2Loop loop = loop(at(rings, i));
            if (loop == null) {
                return null;
            }
            loops.add(loop);
        }
        if (loops.isEmpty() || !S2Polygon.isValid(loops)) {
            return null;
        }
        S2Polygon polygon = new S2Polygon();
        polygon.initNested(loops);
        return polygon.isValid() ? polygon : null;
    }

    private static S2Loop loop(JsonNode ring) {
        List points = points(ring);
        if (points == null || points.size() < 4 || !points.get(0).equals(points.get(points.size() - 1))) {
            return null;
        }
        points.remove(points.size() - 1);
        if (!S2Loop.isValid(points)) {
            return null;
        }
        S2Loop loop = new S2Loop(points);
        loop.normalize();
        return loop;
    }

    private static Double number(JsonNode value) {
        return value.isNumber() ? Double.valueOf(value.asDouble()) : null;
    }

    /** Janino takes the element for the interface that is declared above JsonNode. */
    private static JsonNode at(JsonNode array, int place) {
        return (JsonNode) array.get(place);
    }

    private static boolean isType(JsonNode shape, String type) {
        JsonNode named = (JsonNode) shape.get("type");
        return named != null && named.isTextual() && named.asText().equals(type);
    }

    private static JsonNode coordinates(JsonNode shape) {
        JsonNode found = shape == null || !shape.isObject() ? null : (JsonNode) shape.get("coordinates");
        return found == null || !found.isArray() ? null : found;
    }

    private static List points(JsonNode array) {
        if (!array.isArray()) {
            return null;
        }
        List points = new ArrayList();
        for (int i = 0; i < array.size(); i++) {
            JsonNode pair = at(array, i);
            S2Point point = pair.isArray() && pair.size() >= 2 ? point(number(at(pair, 0)), number(at(pair, 1))) : null;
            if (point == null) {
                return null;
            }
            points.add(point);
        }
        return points;
    }

    /** A point as GeoJSON. */
    public static String written(S2Point point) {
        return "{\"type\":\"Point\",\"coordinates\":" + pair(point) + "}";
    }

    /** A Point or MultiPoint of points. */
    public static String ofPoints(List points) {
        return points.size() == 1 ? written((S2Point) points.get(0)) : shape("MultiPoint", pairs(points));
    }

    /** A LineString or MultiLineString of lists of points. */
    public static String ofLines(List lines) {
        return lines.size() == 1 ? shape("LineString", pairs((List) lines.get(0))) : shape("MultiLineString", lists(lines));
    }

    /** A Polygon or MultiPolygon of lists of rings: each a list of points, the first one not repeated. */
    public static String ofPolygons(List polygons) {
        List texts = new ArrayList();
        for (int i = 0; i < polygons.size(); i++) {
            List rings = new ArrayList();
            for (int j = 0; j < ((List) polygons.get(i)).size(); j++) {
                List ring = new ArrayList((List) ((List) polygons.get(i)).get(j));
                ring.add(ring.get(0));
                rings.add(ring);
            }
            texts.add(lists(rings));
        }
        return texts.size() == 1 ? shape("Polygon", (String) texts.get(0)) : shape("MultiPolygon", list(texts));
    }

    /** A GeometryCollection of shapes. */
    public static String collection(List shapes) {
        return "{\"type\":\"GeometryCollection\",\"geometries\":" + list(shapes) + "}";
    }

    /** A shape of a type with the text of its coordinates. */
    public static String shape(String type, String coordinates) {
        return "{\"type\":\"" + type + "\",\"coordinates\":" + coordinates + "}";
    }

    /** An array of strings that need no escapes. */
    public static String strings(List texts) {
        List quoted = new ArrayList();
        for (int i = 0; i < texts.size(); i++) {
            quoted.add("\"" + texts.get(i) + "\"");
        }
        return list(quoted);
    }

    /** An array of JSON texts. */
    public static String list(List texts) {
        StringBuilder written = new StringBuilder("[");
        for (int i = 0; i < texts.size(); i++) {
            written.append(i == 0 ? "" : ",").append((String) texts.get(i));
        }
        return written.append("]").toString();
    }

    private static String lists(List lists) {
        List texts = new ArrayList();
        for (int i = 0; i < lists.size(); i++) {
            texts.add(pairs((List) lists.get(i)));
        }
        return list(texts);
    }

    private static String pairs(List points) {
        List texts = new ArrayList();
        for (int i = 0; i < points.size(); i++) {
            texts.add(pair((S2Point) points.get(i)));
        }
        return list(texts);
    }

    private static String pair(S2Point point) {
        S2LatLng place = new S2LatLng(point);
        return pair(place.lngDegrees(), place.latDegrees());
    }

    /** A pair of coordinates. */
    public static String pair(double longitude, double latitude) {
        return "[" + number(longitude) + "," + number(latitude) + "]";
    }

    /** A number as .NET writes one that can be read again: with 15 digits, or if they are not enough with 17. */
    public static String number(double value) {
        if (value == 0) {
            return "0.0";
        }
        BigDecimal exact = new BigDecimal(value);
        BigDecimal written = exact.round(new MathContext(15));
        if (written.doubleValue() != value) {
            written = exact.round(new MathContext(17));
        }
        String plain = written.stripTrailingZeros().toPlainString();
        return plain.indexOf('.') < 0 ? plain + ".0" : plain;
    }
}
