import com.uber.h3core.H3Core;
import com.uber.h3core.util.LatLng;
import java.util.ArrayList;
import java.util.List;

/** Cells of H3, named by their indexes in hexadecimal. */
public final class H3Cells {
    private static final int FINEST = 15;
    private static final int FARTHEST = 142;
    private static final int MOST_LEVELS = 5;

    /** The neighbours of H3's own order in that of Kusto; a pentagon has but five. */
    private static final int[] ORDER = {0, 3, 4, 2, 1, 5};

    private static H3Core loaded;

    private H3Cells() {}

    private static synchronized H3Core core() {
        if (loaded == null) {
            try {
                loaded = H3Core.newInstance();
            } catch (java.io.IOException e) {
                throw new IllegalStateException("the native library of H3 cannot be loaded: " + e.getMessage(), e);
            }
        }
        return loaded;
    }

    /** The cell of a resolution that contains a point; empty if one is not valid. */
    public static String ofPoint(Double longitude, Double latitude, Long resolution) {
        boolean valid = GeoJson.point(longitude, latitude) != null && resolution != null;
        if (!valid || resolution.longValue() < 0 || resolution.longValue() > FINEST) {
            return "";
        }
        return core().latLngToCellAddress(latitude.doubleValue(), longitude.doubleValue(), resolution.intValue());
    }

    private static boolean isCell(String cell) {
        return cell != null && cell.matches("[0-9a-fA-F]{1,16}") && core().isValidCell(cell);
    }

    public static Integer level(String cell) {
        return isCell(cell) ? Integer.valueOf(core().getResolution(cell)) : null;
    }

    public static String center(String cell) {
        if (!isCell(cell)) {
            return null;
        }
        LatLng center = core().cellToLatLng(cell);
        return GeoJson.shape("Point", GeoJson.pair(center.lng, center.lat));
    }

    public static String polygon(String cell) {
        if (!isCell(cell)) {
            return null;
        }
        List corners = core().cellToBoundary(cell);
        List pairs = new ArrayList();
        for (int i = 0; i <= corners.size(); i++) {
            LatLng corner = (LatLng) corners.get(i % corners.size());
            pairs.add(GeoJson.pair(corner.lng, corner.lat));
        }
        return GeoJson.shape("Polygon", "[" + GeoJson.list(pairs) + "]");
    }

    public static String parent(String cell) {
        return parentAt(cell, isCell(cell) ? Long.valueOf(core().getResolution(cell) - 1) : null);
    }

    public static String parentAt(String cell, Long resolution) {
        boolean valid = isCell(cell) && resolution != null && resolution.longValue() >= 0
            && resolution.longValue() < FINEST && resolution.longValue() <= core().getResolution(cell);
        return valid ? core().cellToParentAddress(cell, resolution.intValue()) : "";
    }

    public static String children(String cell) {
        return childrenAt(cell, isCell(cell) ? Long.valueOf(core().getResolution(cell) + 1) : null);
    }

    public static String childrenAt(String cell, Long resolution) {
        if (!isCell(cell) || resolution == null || resolution.longValue() < 1 || resolution.longValue() > FINEST) {
            return null;
        }
        long levels = resolution.longValue() - core().getResolution(cell);
        boolean valid = levels >= 0 && levels <= MOST_LEVELS;
        return valid ? GeoJson.strings(core().cellToChildren(cell, resolution.intValue())) : null;
    }

    public static String neighbors(String cell) {
        if (!isCell(cell)) {
            return null;
        }
        List edges = core().originToDirectedEdges(cell);
        List found = new ArrayList();
        for (int i = 0; i < ORDER.length; i++) {
            if (ORDER[i] < edges.size()) {
                found.add(core().getDirectedEdgeDestination((String) edges.get(ORDER[i])));
            }
        }
        return GeoJson.strings(found);
    }

    /** The cells at each distance up to one. */
    public static String rings(String cell, Long distance) {
        boolean valid = isCell(cell) && distance != null && distance.longValue() >= 0 && distance.longValue() <= FARTHEST;
        if (!valid) {
            return null;
        }
        List rings = core().gridDiskDistances(cell, distance.intValue());
        List texts = new ArrayList();
        for (int i = 0; i < rings.size(); i++) {
            texts.add(GeoJson.strings((List) rings.get(i)));
        }
        return GeoJson.list(texts);
    }
}
