import com.google.common.geometry.S2Point;
import java.util.ArrayList;
import java.util.List;

/** Points on the sphere, and geohashes. Angles are in radians, distances in metres. */
public final class GeoPoints {
    /** The mean radius of the Earth in metres, by which S2 and Kusto measure. */
    public static final double RADIUS = 6371010.0;

    /** Points are opposite each other if only a rounding error says that they are not. */
    private static final double ANTIPODAL = 1e-15;

    private static final String DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz";
    private static final int LONGEST = 18;

    private GeoPoints() {}

    public static Double distance(Double longitude1, Double latitude1, Double longitude2, Double latitude2) {
        S2Point from = GeoJson.point(longitude1, latitude1);
        S2Point to = GeoJson.point(longitude2, latitude2);
        return from == null || to == null ? null : Double.valueOf(from.angle(to) * RADIUS);
    }

    /** The angle between north and the way to a second point, clockwise; null if there is no one way. */
    public static Double azimuth(Double longitude1, Double latitude1, Double longitude2, Double latitude2) {
        S2Point from = GeoJson.point(longitude1, latitude1);
        S2Point to = GeoJson.point(longitude2, latitude2);
        if (from == null || to == null || from.equals(to) || from.angle(to.neg()) < ANTIPODAL) {
            return null;
        }
        double here = Math.toRadians(latitude1.doubleValue());
        double there = Math.toRadians(latitude2.doubleValue());
        double east = Math.toRadians(longitude2.doubleValue() - longitude1.doubleValue());
        double x = Math.sin(east) * Math.cos(there);
        double y = Math.cos(here) * Math.sin(there) - Math.sin(here) * Math.cos(there) * Math.cos(east);
        return Double.valueOf(turned(Math.atan2(x, y)));
    }

    /** The angle from the line between the first two points to that between the last two, clockwise. */
    public static Double angle(
        Double longitude1, Double latitude1, Double longitude2, Double latitude2, Double longitude3, Double latitude3) {
        Double first = azimuth(longitude2, latitude2, longitude1, latitude1);
        Double second = azimuth(longitude2, latitude2, longitude3, latitude3);
        return first == null || second == null
            ? null
            : Double.valueOf(turned(second.doubleValue() - first.doubleValue()));
    }

    private static double turned(double angle) {
        double positive = angle < 0 ? angle + 2 * Math.PI : angle;
        return positive >= 2 * Math.PI ? 0 : positive;
    }

    public static Boolean inCircle(Double longitude, Double latitude, Double east, Double north, Double radius) {
        S2Point point = GeoJson.point(longitude, latitude);
        S2Point center = GeoJson.point(east, north);
        boolean valid = point != null && center != null && radius != null && radius.doubleValue() > 0;
        return valid ? Boolean.valueOf(point.angle(center) * RADIUS <= radius.doubleValue()) : null;
    }

    /** The geohash of a point; empty if the point or the number of digits is not valid. */
    public static String toGeohash(Double longitude, Double latitude, Long digits) {
        if (GeoJson.point(longitude, latitude) == null || digits == null) {
            return "";
        }
        boolean valid = digits.longValue() >= 1 && digits.longValue() <= LONGEST;
        return valid ? hash(longitude.doubleValue(), latitude.doubleValue(), digits.intValue()) : "";
    }

    private static String hash(double longitude, double latitude, int length) {
        double[] area = {-180, 180, -90, 90};
        StringBuilder hash = new StringBuilder();
        for (int digit = 0; digit < length; digit++) {
            int bits = 0;
            for (int bit = 0; bit < 5; bit++) {
                int axis = (digit * 5 + bit) % 2 * 2;
                double middle = (area[axis] + area[axis + 1]) / 2;
                boolean upper = (axis == 0 ? longitude : latitude) >= middle;
                area[upper ? axis : axis + 1] = middle;
                bits = bits * 2 + (upper ? 1 : 0);
            }
            hash.append(DIGITS.charAt(bits));
        }
        return hash.toString();
    }

    /** West, east, south and north of a geohash; null if it is not a valid one. */
    private static double[] area(String hash) {
        if (hash == null || hash.length() < 1 || hash.length() > LONGEST) {
            return null;
        }
        double[] area = {-180, 180, -90, 90};
        for (int digit = 0; digit < hash.length(); digit++) {
            int bits = DIGITS.indexOf(hash.charAt(digit));
            if (bits < 0) {
                return null;
            }
            for (int bit = 0; bit < 5; bit++) {
                int axis = (digit * 5 + bit) % 2 * 2;
                boolean upper = (bits >> (4 - bit) & 1) == 1;
                area[upper ? axis : axis + 1] = (area[axis] + area[axis + 1]) / 2;
            }
        }
        return area;
    }

    public static String geohashCenter(String hash) {
        double[] area = area(hash);
        return area == null
            ? null
            : GeoJson.shape("Point", GeoJson.pair((area[0] + area[1]) / 2, (area[2] + area[3]) / 2));
    }

    public static String geohashPolygon(String hash) {
        double[] area = area(hash);
        if (area == null) {
            return null;
        }
        String first = GeoJson.pair(area[0], area[2]);
        return GeoJson.shape("Polygon", "[[" + first + "," + GeoJson.pair(area[1], area[2]) + ","
            + GeoJson.pair(area[1], area[3]) + "," + GeoJson.pair(area[0], area[3]) + "," + first + "]]");
    }

    /** The geohashes around one, from the west on against the clock; none lie beyond a pole. */
    public static String geohashNeighbors(String hash) {
        double[] area = area(hash);
        if (area == null) {
            return null;
        }
        int[][] steps = STEPS;
        List found = new ArrayList();
        for (int i = 0; i < steps.length; i++) {
            double longitude = (area[0] + area[1]) / 2 + steps[i][0] * (area[1] - area[0]);
            double latitude = (area[2] + area[3]) / 2 + steps[i][1] * (area[3] - area[2]);
            double around = longitude > 180 ? longitude - 360 : longitude < -180 ? longitude + 360 : longitude;
            if (latitude > -90 && latitude < 90) {
                found.add(hash(around, latitude, hash.length()));
            }
        }
        return GeoJson.strings(found);
    }

    private static final int[][] STEPS = {{-1, 0}, {-1, -1}, {0, -1}, {1, -1}, {1, 1}, {1, 0}, {0, 1}, {-1, 1}};
}
