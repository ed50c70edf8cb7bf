import com.google.common.geometry.S2CellId;
import com.google.common.geometry.S2EdgeUtil;
import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polygon;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** What shapes have together, and what they have in common. Shapes contain their boundaries. */
public final class GeoOverlay {
    private GeoOverlay() {}

    /** The union of polygons: each time of the two that have the fewest vertices, as S2 does it. */
    public static GeoRegion union(List polygons) {
        List left = new ArrayList();
        List sizes = new ArrayList();
        for (int i = 0; i < polygons.size(); i++) {
            left.add(GeoRegion.of((S2Polygon) polygons.get(i)));
            sizes.add(Integer.valueOf(((S2Polygon) polygons.get(i)).getNumVertices()));
        }
        while (left.size() > 1) {
            int first = smallest(sizes);
            int size = ((Integer) sizes.remove(first)).intValue();
            GeoRegion one = (GeoRegion) left.remove(first);
            int second = smallest(sizes);
            size += ((Integer) sizes.remove(second)).intValue();
            GeoArrangement both = new GeoArrangement();
            both.add(one);
            both.add((GeoRegion) left.remove(second));
            left.add(both.region(1));
            sizes.add(Integer.valueOf(size));
        }
        return (GeoRegion) left.get(0);
    }

    private static int smallest(List sizes) {
        int smallest = 0;
        for (int i = 1; i < sizes.size(); i++) {
            smallest = ((Integer) sizes.get(i)).compareTo((Integer) sizes.get(smallest)) < 0 ? i : smallest;
        }
        return smallest;
    }

    /** The union of an array of polygons. */
    public static String unionOfPolygons(String array) {
        List texts = GeoJson.elements(array);
        List polygons = new ArrayList();
        for (int i = 0; texts != null && i < texts.size(); i++) {
            List some = GeoJson.polygons((String) texts.get(i));
            if (some == null) {
                return null;
            }
            polygons.addAll(some);
        }
        return polygons.isEmpty() ? null : union(polygons).written();
    }

    public static Boolean polygonsIntersect(String one, String other) {
        List first = GeoJson.polygons(one);
        List second = GeoJson.polygons(other);
        if (first == null || second == null) {
            return null;
        }
        List edges = GeoEdges.of(first);
        List others = GeoEdges.of(second);
        return Boolean.valueOf(meet(edges, others) || contain(first, others) || contain(second, edges));
    }

    public static Boolean linesIntersect(String one, String other) {
        List first = GeoJson.lines(one);
        List second = GeoJson.lines(other);
        return first == null || second == null
            ? null
            : Boolean.valueOf(meet(GeoLines.edges(first), GeoLines.edges(second)));
    }

    public static Boolean lineIntersectsPolygon(String line, String polygon) {
        List lines = GeoJson.lines(line);
        List polygons = GeoJson.polygons(polygon);
        if (lines == null || polygons == null) {
            return null;
        }
        List edges = GeoLines.edges(lines);
        return Boolean.valueOf(meet(edges, GeoEdges.of(polygons)) || contain(polygons, edges));
    }

    private static boolean meet(List edges, List others) {
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            for (int j = 0; j < others.size(); j++) {
                S2Point[] other = (S2Point[]) others.get(j);
                if (S2EdgeUtil.robustCrossing(edge[0], edge[1], other[0], other[1]) >= 0) {
                    return true;
                }
            }
        }
        return false;
    }

    private static boolean contain(List polygons, List edges) {
        for (int i = 0; i < edges.size(); i++) {
            if (GeoEdges.contain(polygons, ((S2Point[]) edges.get(i))[0])) {
                return true;
            }
        }
        return false;
    }

    public static String intersectionOfPolygons(String one, String other) {
        List first = GeoJson.polygons(one);
        List second = GeoJson.polygons(other);
        if (first == null || second == null) {
            return null;
        }
        GeoRegion left = union(first);
        GeoRegion right = union(second);
        GeoArrangement both = new GeoArrangement();
        both.add(left);
        both.add(right);
        GeoRegion region = both.region(2);
        List polygons = region.rings();
        Set inRegion = vertices(region);
        Set shared = vertices(left);
        shared.retainAll(vertices(right));
        shared.removeAll(inRegion);
        return collected(apart(new ArrayList(shared), new ArrayList()), new ArrayList(), polygons);
    }

    private static Set vertices(GeoRegion region) {
        Set vertices = new HashSet();
        List edges = region.edges();
        for (int i = 0; i < edges.size(); i++) {
            vertices.add(((S2Point[]) edges.get(i))[0]);
        }
        return vertices;
    }

    /** Shapes of several kinds; one that is alone is not put into a collection. */
    private static String collected(List points, List lines, List polygons) {
        List shapes = new ArrayList();
        if (!points.isEmpty()) {
            shapes.add(GeoJson.ofPoints(points));
        }
        if (!lines.isEmpty()) {
            shapes.add(GeoJson.ofLines(lines));
        }
        if (!polygons.isEmpty()) {
            shapes.add(GeoJson.ofPolygons(polygons));
        }
        return shapes.size() == 1 ? (String) shapes.get(0) : GeoJson.collection(shapes);
    }

    public static String intersectionOfLines(String one, String other) {
        List first = GeoJson.lines(one);
        List second = GeoJson.lines(other);
        if (first == null || second == null) {
            return null;
        }
        List edges = GeoLines.edges(first);
        List others = GeoLines.edges(second);
        List common = new ArrayList();
        List met = new ArrayList();
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            boolean shared = false;
            for (int j = 0; j < others.size(); j++) {
                S2Point[] another = (S2Point[]) others.get(j);
                shared |= same(edge, another);
                met.addAll(where(edge, another));
            }
            if (shared) {
                common.add(edge);
            }
        }
        return collected(apart(met, common), paths(common), new ArrayList());
    }

    private static boolean same(S2Point[] edge, S2Point[] other) {
        return edge[0].equals(other[0]) && edge[1].equals(other[1])
            || edge[0].equals(other[1]) && edge[1].equals(other[0]);
    }

    /** Where two edges cross, or have an end in common. */
    private static List where(S2Point[] edge, S2Point[] other) {
        List met = new ArrayList();
        if (S2EdgeUtil.robustCrossing(edge[0], edge[1], other[0], other[1]) > 0) {
            met.add(S2EdgeUtil.getIntersection(edge[0], edge[1], other[0], other[1]));
        }
        for (int i = 0; i < 2; i++) {
            if (edge[i].equals(other[0]) || edge[i].equals(other[1])) {
                met.add(edge[i]);
            }
        }
        return met;
    }

    /** The points, each once, that are not at the end of an edge, in the order of their cells. */
    private static List apart(List points, List edges) {
        Set seen = new HashSet();
        for (int i = 0; i < edges.size(); i++) {
            seen.add(((S2Point[]) edges.get(i))[0]);
            seen.add(((S2Point[]) edges.get(i))[1]);
        }
        List apart = new ArrayList();
        for (int i = 0; i < points.size(); i++) {
            if (seen.add(points.get(i))) {
                S2CellId cell = S2CellId.fromPoint((S2Point) points.get(i));
                int place = 0;
                while (place < apart.size() && S2CellId.fromPoint((S2Point) apart.get(place)).lessThan(cell)) {
                    place++;
                }
                apart.add(place, points.get(i));
            }
        }
        return apart;
    }

    /** The union of an array of lines. */
    public static String unionOfLines(String array) {
        List texts = GeoJson.elements(array);
        List lines = new ArrayList();
        for (int i = 0; texts != null && i < texts.size(); i++) {
            List some = GeoJson.lines((String) texts.get(i));
            if (some == null) {
                return null;
            }
            lines.addAll(some);
        }
        return lines.isEmpty() ? null : GeoJson.ofLines(paths(GeoLines.edges(lines)));
    }

    /** Edges joined to lists of points, as far as one leads to no more than one other. */
    private static List paths(List edges) {
        Map leaving = new HashMap();
        Map entering = new HashMap();
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            put(leaving, edge[0], edge);
            put(entering, edge[1], edge);
        }
        List paths = new ArrayList();
        Set used = new HashSet();
        for (int round = 0; round < 2; round++) { // those that begin somewhere, then rings
            for (int i = 0; i < edges.size(); i++) {
                S2Point[] edge = (S2Point[]) edges.get(i);
                if (!used.contains(edge) && (round == 1 || !between(edge[0], leaving, entering))) {
                    paths.add(path(edge, leaving, entering, used));
                }
            }
        }
        return paths;
    }

    private static void put(Map lists, Object key, Object value) {
        List list = (List) lists.get(key);
        if (list == null) {
            list = new ArrayList();
            lists.put(key, list);
        }
        list.add(value);
    }

    private static boolean between(S2Point point, Map leaving, Map entering) {
        List after = (List) leaving.get(point);
        List before = (List) entering.get(point);
        return after != null && before != null && after.size() == 1 && before.size() == 1;
    }

    private static List path(S2Point[] first, Map leaving, Map entering, Set used) {
        List path = new ArrayList();
        path.add(first[0]);
        S2Point[] edge = first;
        while (edge != null && used.add(edge)) {
            path.add(edge[1]);
            edge = between(edge[1], leaving, entering) ? (S2Point[]) ((List) leaving.get(edge[1])).get(0) : null;
        }
        return path;
    }

    public static String intersectionOfLineAndPolygon(String line, String polygon) {
        List lines = GeoJson.lines(line);
        List polygons = GeoJson.polygons(polygon);
        if (lines == null || polygons == null) {
            return null;
        }
        List borders = GeoEdges.of(polygons);
        List inside = new ArrayList();
        List met = new ArrayList();
        List edges = GeoLines.edges(lines);
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            List along = cut(edge, borders);
            met.addAll(along.subList(1, along.size() - 1));
            for (int j = 1; j < along.size(); j++) {
                S2Point from = (S2Point) along.get(j - 1);
                S2Point to = (S2Point) along.get(j);
                if (!from.equals(to) && GeoEdges.contain(polygons, from.add(to).normalize())) {
                    inside.add(new S2Point[] {from, to});
                }
            }
        }
        return collected(apart(met, inside), paths(inside), new ArrayList());
    }

    private static List cut(S2Point[] edge, List borders) {
        List along = new ArrayList();
        along.add(edge[0]);
        along.add(edge[1]);
        for (int i = 0; i < borders.size(); i++) {
            List met = where(edge, (S2Point[]) borders.get(i));
            for (int j = 0; j < met.size(); j++) {
                S2Point point = (S2Point) met.get(j);
                int place = 1;
                while (place < along.size() && ((S2Point) along.get(place)).angle(edge[0]) < point.angle(edge[0])) {
                    place++;
                }
                along.add(place < along.size() ? place : place - 1, point);
            }
        }
        return along;
    }
}
