import com.google.common.geometry.S2Cell;
import com.google.common.geometry.S2CellId;
import com.google.common.geometry.S2Point;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Cells of S2, named by their tokens. */
public final class GeoCells {
    private static final int FINEST = 30;

    /** The neighbours of S2's own order in that of Kusto. At a corner of the cube one is there twice. */
    private static final int[] ORDER = {7, 5, 4, 2, 6, 1, 3, 0};

    private GeoCells() {}

    /** The token of the cell of a level that contains a point; empty if one is not valid. */
    public static String ofPoint(Double longitude, Double latitude, Long level) {
        S2Point point = GeoJson.point(longitude, latitude);
        if (point == null || level == null || level.longValue() < 0 || level.longValue() > FINEST) {
            return "";
        }
        return S2CellId.fromPoint(point).parent(level.intValue()).toToken();
    }

    private static S2CellId cell(String token) {
        if (token == null || !token.matches("[0-9a-fA-F]{1,16}")) {
            return null;
        }
        S2CellId cell = S2CellId.fromToken(token);
        return cell.isValid() ? cell : null;
    }

    public static String center(String token) {
        S2CellId cell = cell(token);
        return cell == null ? null : GeoJson.written(cell.toPoint());
    }

    public static String polygon(String token) {
        S2CellId id = cell(token);
        if (id == null) {
            return null;
        }
        S2Cell cell = new S2Cell(id);
        List corners = new ArrayList();
        for (int i = 0; i < 4; i++) {
            corners.add(cell.getVertex(i));
        }
        List rings = new ArrayList();
        rings.add(corners);
        List polygons = new ArrayList();
        polygons.add(rings);
        return GeoJson.ofPolygons(polygons);
    }

    public static String neighbors(String token) {
        S2CellId cell = cell(token);
        if (cell == null) {
            return null;
        }
        List around = new ArrayList();
        cell.getAllNeighbors(cell.level(), around);
        Set tokens = new LinkedHashSet();
        for (int i = 0; i < ORDER.length; i++) {
            tokens.add(((S2CellId) around.get(ORDER[i])).toToken());
        }
        return GeoJson.strings(new ArrayList(tokens));
    }
}
