import com.google.common.geometry.S2Cell;
import com.google.common.geometry.S2CellId;
import com.google.common.geometry.S2Region;
import java.util.ArrayList;
import java.util.List;

/** The cells of one level of S2 that cover a shape. */
public final class GeoCoverings {
    private static final int MOST = 65536;
    private static final int FINEST = 30;

    private final List regions;
    private final int level;
    private final List tokens = new ArrayList();

    private GeoCoverings(List regions, int level) {
        this.regions = regions;
        this.level = level;
    }

    public static String ofPolygon(String json, Long level) {
        return covering(GeoJson.polygons(json), level);
    }

    public static String ofLine(String json, Long level) {
        return covering(GeoJson.lines(json), level);
    }

    private static String covering(List regions, Long level) {
        if (regions == null || level == null || level.longValue() < 0 || level.longValue() > FINEST) {
            return null;
        }
        GeoCoverings made = new GeoCoverings(regions, level.intValue());
        for (int face = 0; face < 6; face++) {
            made.add(S2CellId.fromFace(face));
        }
        return made.tokens.size() > MOST ? null : GeoJson.strings(made.tokens);
    }

    private void add(S2CellId id) {
        S2Cell cell = new S2Cell(id);
        boolean found = false;
        for (int i = 0; i < regions.size() && !found; i++) {
            found = ((S2Region) regions.get(i)).mayIntersect(cell);
        }
        if (!found || tokens.size() > MOST) {
            return;
        }
        if (id.level() == level) {
            tokens.add(id.toToken());
            return;
        }
        for (int i = 0; i < 4; i++) {
            add(id.child(i));
        }
    }
}
