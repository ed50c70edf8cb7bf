import com.google.common.geometry.S2;
import com.google.common.geometry.S2CellId;
import com.google.common.geometry.S2EdgeUtil;
import com.google.common.geometry.S2Loop;
import com.google.common.geometry.S2Point;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The region that closed paths wind around often enough: the union of polygons, their intersection, a buffer.
 *
 * <p>Edges are cut where they meet. Of the pieces those remain that have the region on their left only, and they are
 * joined to loops. As in S2, a loop starts after its last edge, in the order in which edges were added.
 */
public final class GeoArrangement {
    /** Points that are closer than this are one; it is twice the error of an intersection. */
    static final double MERGED = 1.8e-15;

    private static final double BESIDE = 1e-12;

    private final Map cells = new HashMap();
    private final List starts = new ArrayList();
    private final List ends = new ArrayList();
    private S2Point reference;
    private int aroundReference = 0;

    /** Adds a region, around whose inside its loops wind once. */
    public void add(GeoRegion region) {
        List edges = region.edges();
        for (int i = 0; i < edges.size(); i++) {
            S2Point[] edge = (S2Point[]) edges.get(i);
            add(edge[0], edge[1]);
        }
        if (reference != null) {
            aroundReference += region.polygon().contains(reference) ? 1 : 0;
        }
    }

    /** Adds a closed path, which is far from the reference. */
    public void add(List path) {
        for (int i = 0; i < path.size(); i++) {
            add((S2Point) path.get(i), (S2Point) path.get((i + 1) % path.size()));
        }
    }

    private void add(S2Point from, S2Point to) {
        S2Point start = known(from);
        S2Point end = known(to);
        if (reference == null) {
            reference = S2.ortho(start);
        }
        if (!start.equals(end)) {
            starts.add(start);
            ends.add(end);
        }
    }

    /** The point itself, or one that is there already and as good as equal. */
    private S2Point known(S2Point point) {
        long x = Math.round(point.getX() * 1e13);
        long y = Math.round(point.getY() * 1e13);
        for (long i = x - 1; i <= x + 1; i++) {
            for (long j = y - 1; j <= y + 1; j++) {
                List near = (List) cells.get(i + " " + j);
                for (int k = 0; near != null && k < near.size(); k++) {
                    if (((S2Point) near.get(k)).angle(point) <= MERGED) {
                        return (S2Point) near.get(k);
                    }
                }
            }
        }
        List here = (List) cells.get(x + " " + y);
        if (here == null) {
            here = new ArrayList();
            cells.put(x + " " + y, here);
        }
        here.add(point);
        return point;
    }

    /** The region around which the paths wind at least so often. */
    public GeoRegion region(int least) {
        List loops = new ArrayList();
        List rings = rings(remaining(least));
        for (int i = 0; i < rings.size(); i++) {
            List ring = (List) rings.get(i);
            if (ring.size() > 2) {
                S2Loop loop = new S2Loop(ring);
                loop.normalize();
                loops.add(loop);
            }
        }
        return GeoRegion.ofLoops(loops);
    }

    /** Pieces as arrays of start, end and number of the edge. */
    private List pieces() {
        List pieces = new ArrayList();
        List[] cuts = cuts();
        for (int i = 0; i < cuts.length; i++) {
            S2Point last = (S2Point) starts.get(i);
            List along = sorted(last, cuts[i]);
            along.add(ends.get(i));
            for (int j = 0; j < along.size(); j++) {
                S2Point point = (S2Point) along.get(j);
                if (!point.equals(last)) {
                    pieces.add(new Object[] {last, point, Integer.valueOf(i)});
                    last = point;
                }
            }
        }
        return pieces;
    }

    private List[] cuts() {
        int count = starts.size();
        List[] cuts = new List[count];
        for (int i = 0; i < count; i++) {
            cuts[i] = new ArrayList();
        }
        for (int i = 0; i < count; i++) {
            for (int j = i + 1; j < count; j++) {
                cut(cuts, i, j);
            }
        }
        return cuts;
    }

    private void cut(List[] cuts, int i, int j) {
        S2Point a = (S2Point) starts.get(i);
        S2Point b = (S2Point) ends.get(i);
        S2Point c = (S2Point) starts.get(j);
        S2Point d = (S2Point) ends.get(j);
        double reach = (a.getDistance(b) + c.getDistance(d)) * 1.0001;
        if (a.getDistance(c) > reach) {
            return;
        }
        cutAt(cuts[i], a, b, c);
        cutAt(cuts[i], a, b, d);
        cutAt(cuts[j], c, d, a);
        cutAt(cuts[j], c, d, b);
        if (S2EdgeUtil.robustCrossing(a, b, c, d) > 0) {
            S2Point met = known(S2EdgeUtil.getIntersection(a, b, c, d));
            cuts[i].add(met);
            cuts[j].add(met);
        }
    }

    private static void cutAt(List cuts, S2Point a, S2Point b, S2Point point) {
        boolean end = point.equals(a) || point.equals(b);
        if (!end && S2EdgeUtil.getDistance(point, a, b).radians() <= MERGED) {
            cuts.add(point);
        }
    }

    private static List sorted(S2Point from, List points) {
        List sorted = new ArrayList();
        for (int i = 0; i < points.size(); i++) {
            S2Point point = (S2Point) points.get(i);
            int place = 0;
            while (place < sorted.size() && ((S2Point) sorted.get(place)).angle(from) < point.angle(from)) {
                place++;
            }
            sorted.add(place, point);
        }
        return sorted;
    }

    /** The pieces that have the region on their left but not on their right, in the order of their edges. */
    private List remaining(int least) {
        Map found = new LinkedHashMap();
        List pieces = pieces();
        for (int i = 0; i < pieces.size(); i++) {
            Object[] piece = (Object[]) pieces.get(i);
            boolean forward = ((S2Point) piece[0]).lessThan((S2Point) piece[1]);
            List ends = new ArrayList();
            ends.add(forward ? piece[0] : piece[1]);
            ends.add(forward ? piece[1] : piece[0]);
            List[] sides = (List[]) found.get(ends);
            if (sides == null) {
                sides = new List[] {new ArrayList(), new ArrayList()};
                found.put(ends, sides);
            }
            sides[forward ? 0 : 1].add(piece);
        }
        List kept = new ArrayList();
        for (java.util.Iterator each = found.values().iterator(); each.hasNext();) {
            List[] sides = (List[]) each.next();
            int net = sides[0].size() - sides[1].size();
            if (net != 0) {
                Object[] piece = (Object[]) sides[net > 0 ? 0 : 1].get(0);
                int left = winding((S2Point) piece[0], (S2Point) piece[1]);
                if (left >= least && left - Math.abs(net) < least) {
                    kept.add(piece);
                }
            }
        }
        return kept;
    }

    /** How often the paths wind around what is on the left of a piece. */
    private int winding(S2Point from, S2Point to) {
        S2Point left = from.crossProd(to).normalize();
        double step = Math.min(BESIDE, from.angle(to) * 1e-3);
        S2Point point = from.add(to).normalize().add(left.mul(step)).normalize();
        int winding = aroundReference;
        for (int i = 0; i < starts.size(); i++) {
            S2Point start = (S2Point) starts.get(i);
            S2Point end = (S2Point) ends.get(i);
            if (S2EdgeUtil.robustCrossing(reference, point, start, end) > 0) {
                winding += start.crossProd(end).dotProd(reference) > 0 ? -1 : 1;
            }
        }
        return winding;
    }

    /** Joins pieces to rings, none of which meets itself. */
    private static List rings(List pieces) {
        Map leaving = new HashMap();
        for (int i = 0; i < pieces.size(); i++) {
            Object[] piece = (Object[]) pieces.get(i);
            List others = (List) leaving.get(piece[0]);
            if (others == null) {
                others = new ArrayList();
                leaving.put(piece[0], others);
            }
            others.add(piece);
        }
        List rings = new ArrayList();
        for (int i = 0; i < pieces.size(); i++) {
            Object[] piece = (Object[]) pieces.get(i);
            if (((List) leaving.get(piece[0])).contains(piece)) {
                follow(piece, leaving, rings);
            }
        }
        return ordered(rings);
    }

    private static void follow(Object[] first, Map leaving, List rings) {
        List path = new ArrayList();
        Object[] piece = first;
        while (piece != null) {
            ((List) leaving.get(piece[0])).remove(piece);
            path.add(piece);
            int met = 0;
            while (met < path.size() && !((Object[]) path.get(met))[0].equals(piece[1])) {
                met++;
            }
            if (met < path.size()) {
                List ring = path.subList(met, path.size());
                rings.add(new ArrayList(ring));
                ring.clear();
            }
            piece = path.isEmpty() ? null : leftmost((Object[]) path.get(path.size() - 1), leaving);
        }
    }

    private static Object[] leftmost(Object[] piece, Map leaving) {
        List others = (List) leaving.get(piece[1]);
        Object[] best = null;
        double most = 0;
        for (int i = 0; others != null && i < others.size(); i++) {
            Object[] other = (Object[]) others.get(i);
            double turn = S2.turnAngle((S2Point) piece[0], (S2Point) piece[1], (S2Point) other[1]);
            if (best == null || turn > most) {
                best = other;
                most = turn;
            }
        }
        return best;
    }

    /** Lists of points: each starts after its last edge, and they are in the order of their first edges. */
    private static List ordered(List rings) {
        List firsts = new ArrayList();
        List ordered = new ArrayList();
        for (int i = 0; i < rings.size(); i++) {
            List ring = (List) rings.get(i);
            int start = start(ring);
            Integer first = Integer.valueOf(edge(ring, start));
            int place = 0;
            while (place < firsts.size() && ((Integer) firsts.get(place)).compareTo(first) <= 0) {
                place++;
            }
            List points = new ArrayList();
            for (int j = 0; j < ring.size(); j++) {
                points.add(((Object[]) ring.get((start + j) % ring.size()))[0]);
            }
            firsts.add(place, first);
            ordered.add(place, points);
        }
        return ordered;
    }

    /**
     * The place after the pieces of the last edge. Where they are apart, those count that come first from the vertex
     * whose cell is the first one on, as in S2.
     */
    private static int start(List ring) {
        int first = 0;
        for (int i = 1; i < ring.size(); i++) {
            first = cell(ring, i).lessThan(cell(ring, first)) ? i : first;
        }
        int last = 0;
        boolean apart = false;
        for (int i = 1; i < ring.size(); i++) {
            int later = edge(ring, first + i) - edge(ring, first + last);
            if (later > 0 || later == 0 && !apart) {
                last = i;
            }
            apart = later < 0 || later == 0 && apart;
        }
        return (first + last + 1) % ring.size();
    }

    private static S2CellId cell(List ring, int place) {
        return S2CellId.fromPoint((S2Point) ((Object[]) ring.get(place))[0]);
    }

    private static int edge(List ring, int place) {
        return ((Integer) ((Object[]) ring.get(place % ring.size()))[2]).intValue();
    }
}
