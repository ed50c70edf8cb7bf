import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads well-known text (WKT) with two coordinates as GeoJSON. Coordinates stay as they are written. */
public final class GeoWkt {
    private static final Pattern TOKEN = Pattern.compile("\\s*([A-Za-z]+|[(),]|[-+]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][-+]?\\d+)?)\\s*");
    private static final int DEEPEST = 64;

    private final List tokens = new ArrayList();
    private int next = 0;

    private GeoWkt() {}

    /** The shape, or null if the text is not valid. */
    public static String shape(String text) {
        GeoWkt reader = new GeoWkt();
        Matcher token = TOKEN.matcher(text);
        int end = 0;
        while (token.find() && token.start() == end) {
            reader.tokens.add(token.group(1));
            end = token.end();
        }
        if (end < text.length()) {
            return null;
        }
        String shape = reader.shape(0);
        return reader.next == reader.tokens.size() ? shape : null;
    }

    private String shape(int depth) {
        String type = token().toUpperCase(Locale.ROOT);
        next++;
        if (type.equals("POINT")) {
            return made("Point", inParentheses(0));
        } else if (type.equals("LINESTRING")) {
            return made("LineString", inParentheses(1));
        } else if (type.equals("POLYGON")) {
            return made("Polygon", inParentheses(2));
        } else if (type.equals("MULTIPOINT")) {
            return made("MultiPoint", inParentheses(1));
        } else if (type.equals("MULTILINESTRING")) {
            return made("MultiLineString", inParentheses(2));
        } else if (type.equals("MULTIPOLYGON")) {
            return made("MultiPolygon", inParentheses(3));
        }
        return type.equals("GEOMETRYCOLLECTION") && depth < DEEPEST ? collection(depth) : null;
    }

    private static String made(String type, String coordinates) {
        return coordinates == null ? null : GeoJson.shape(type, coordinates);
    }

    private String collection(int depth) {
        List shapes = new ArrayList();
        if (!skip("(")) {
            return null;
        }
        do {
            shapes.add(shape(depth + 1));
        } while (skip(","));
        return skip(")") && !shapes.contains(null) ? GeoJson.collection(shapes) : null;
    }

    /** Coordinates nested in so many lists; null if that is not what follows. */
    private String inParentheses(int lists) {
        if (!skip("(")) {
            return null;
        }
        List found = new ArrayList();
        do {
            found.add(lists <= 1 ? pair() : inParentheses(lists - 1));
        } while (lists > 0 && skip(","));
        if (!skip(")") || found.contains(null)) {
            return null;
        }
        return lists == 0 ? (String) found.get(0) : GeoJson.list(found);
    }

    /** Two numbers; those of a MultiPoint may have parentheses. */
    private String pair() {
        boolean open = skip("(");
        Double longitude = number();
        Double latitude = number();
        boolean valid = longitude != null && latitude != null && (!open || skip(")"));
        return valid ? GeoJson.pair(longitude.doubleValue(), latitude.doubleValue()) : null;
    }

    private Double number() {
        String found = token();
        boolean digits = found.length() > 0 && "+-.0123456789".indexOf(found.charAt(0)) >= 0;
        next += digits ? 1 : 0;
        return digits ? Double.valueOf(found) : null;
    }

    private boolean skip(String wanted) {
        boolean found = token().equals(wanted);
        next += found ? 1 : 0;
        return found;
    }

    private String token() {
        return next < tokens.size() ? (String) tokens.get(next) : "";
    }
}
