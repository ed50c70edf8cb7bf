import com.google.common.geometry.S2Point;
import com.google.common.geometry.S2Polygon;
import java.util.ArrayList;
import java.util.List;

/** The edges and the insides of several polygons. */
public final class GeoEdges {
    private GeoEdges() {}

    public static boolean contain(List polygons, S2Point point) {
        for (int i = 0; i < polygons.size(); i++) {
            if (((S2Polygon) polygons.get(i)).contains(point)) {
                return true;
            }
        }
        return false;
    }

    /** The edges of polygons as arrays of two points, with the inside on the left. */
    public static List of(List polygons) {
        List edges = new ArrayList();
        for (int i = 0; i < polygons.size(); i++) {
            edges.addAll(GeoRegion.of((S2Polygon) polygons.get(i)).edges());
        }
        return edges;
    }
}
