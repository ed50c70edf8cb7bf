import com.google.common.geometry.S2Loop;
import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polygon;
import java.util.ArrayList;
import java.util.List;

/** A polygon that remembers the order of its loops, which S2's Java library sorts: outer ones, each with its holes. */
public final class GeoRegion {
    private final S2Polygon polygon;
    private final List shapes = new ArrayList();

    private GeoRegion(S2Polygon polygon, List loops) {
        this.polygon = polygon;
        for (int i = 0; i < loops.size(); i++) {
            S2Loop loop = (S2Loop) loops.get(i);
            if (!loop.isHole()) {
                List shape = new ArrayList();
                shape.add(loop);
                for (int j = 0; j < loops.size(); j++) {
                    if (parent((S2Loop) loops.get(j)) == loop) {
                        shape.add(loops.get(j));
                    }
                }
                shapes.add(shape);
            }
        }
    }

    private S2Loop parent(S2Loop loop) {
        int place = 0;
        while (polygon.loop(place) != loop) {
            place++;
        }
        return loop.isHole() ? polygon.loop(polygon.getParent(place)) : null;
    }

    public static GeoRegion of(S2Polygon polygon) {
        return new GeoRegion(polygon, polygon.getLoops());
    }

    /** The region of loops that are each the smaller side of what they divide. */
    public static GeoRegion ofLoops(List loops) {
        S2Polygon polygon = new S2Polygon();
        polygon.initNested(new ArrayList(loops));
        return new GeoRegion(polygon, loops);
    }

    public S2Polygon polygon() {
        return polygon;
    }

    /** For each outer ring a list of it and its holes: lists of points with the inside on the left. */
    public List rings() {
        List all = new ArrayList();
        for (int i = 0; i < shapes.size(); i++) {
            List rings = new ArrayList();
            for (int j = 0; j < ((List) shapes.get(i)).size(); j++) {
                rings.add(new ArrayList(((S2Loop) ((List) shapes.get(i)).get(j)).orientedVertices()));
            }
            all.add(rings);
        }
        return all;
    }

    /** The edges as arrays of two points, with the inside on the left. */
    public List edges() {
        List edges = new ArrayList();
        List all = rings();
        for (int i = 0; i < all.size(); i++) {
            for (int j = 0; j < ((List) all.get(i)).size(); j++) {
                List ring = (List) ((List) all.get(i)).get(j);
                for (int k = 0; k < ring.size(); k++) {
                    edges.add(new S2Point[] {(S2Point) ring.get(k), (S2Point) ring.get((k + 1) % ring.size())});
                }
            }
        }
        return edges;
    }

    /** The polygon as GeoJSON: outer rings against the clock. */
    public String written() {
        return GeoJson.ofPolygons(rings());
    }
}
