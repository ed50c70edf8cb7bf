import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.ibm.icu.impl.Punycode;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.InflaterInputStream;
import org.apache.commons.math3.exception.MathIllegalStateException;
import org.apache.commons.math3.special.Beta;
import org.apache.commons.math3.special.Erf;
import org.apache.commons.math3.special.Gamma;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import scala.collection.Seq;

/**
 * Functions of Kusto for which Spark has none, each on a single argument, its name given by {@link #configure}.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class KustoFunctions implements UDF1, Serializable {
    private static final int MAX_UNPACKED = 1 << 24;

    private String name;
    private String[] options;

    public void configure(String name, List options) {
        this.name = name;
        this.options = new String[options.size()];
        for (int i = 0; i < this.options.length; i++) {
            this.options[i] = (String) options.get(i);
        }
    }

    public UserDefinedFunction function(String type) {
        return functions.udf((UDF1) this, DataType.fromDDL(type));
    }

    public Object call(Object value) throws Exception {
        if (value == null) {
            return null;
        }
        if (value instanceof String) {
            return ofText((String) value);
        }
        Seq values = (Seq) value;
        if (name.equals("buildschema")) {
            return schema(values);
        }
        double[] numbers = new double[values.size()];
        for (int i = 0; i < numbers.length; i++) {
            if (values.apply(i) == null) {
                return null;
            }
            numbers[i] = ((Number) values.apply(i)).doubleValue();
        }
        try {
            return Double.valueOf(ofNumbers(numbers));
        } catch (MathIllegalStateException e) {
            return null; // it does not converge
        }
    }

    private Object ofText(String text) throws Exception {
        if (name.equals("gzip") || name.equals("zlib")) {
            return unpacked(text);
        }
        if (name.equals("treepath")) {
            return paths(text);
        }
        if (name.equals("parse-kv")) {
            return new Pairs(text, options).found;
        }
        return punycode(text);
    }

    // Special functions

    private double ofNumbers(double[] x) {
        if (name.equals("erf")) {
            return Erf.erf(x[0]);
        }
        if (name.equals("erfc")) {
            return Erf.erfc(x[0]);
        }
        if (name.equals("gamma")) {
            return Gamma.gamma(x[0]);
        }
        if (name.equals("loggamma")) {
            return Gamma.logGamma(x[0]);
        }
        if (name.equals("beta_cdf")) {
            return Beta.regularizedBeta(x[0], x[1], x[2]);
        }
        if (name.equals("beta_pdf")) {
            double size = (x[1] - 1) * Math.log(x[0]) + (x[2] - 1) * Math.log1p(-x[0]);
            return Math.exp(size - Beta.logBeta(x[1], x[2]));
        }
        if (name.equals("beta_inv")) {
            return betaInverse(x[0], x[1], x[2]);
        }
        return welchTest(x);
    }

    /** By bisection, down to neighbouring numbers. */
    private static double betaInverse(double probability, double alpha, double beta) {
        double low = 0;
        double high = 1;
        double middle = 0.5;
        while (low < middle && middle < high) {
            if (Beta.regularizedBeta(middle, alpha, beta) < probability) {
                low = middle;
            } else {
                high = middle;
            }
            middle = (low + high) / 2;
        }
        return middle;
    }

    /** The probability, by Student's distribution of the two-sided t, of [mean, variance, count] twice. */
    private static double welchTest(double[] x) {
        double first = x[1] / x[2];
        double second = x[4] / x[5];
        double t = (x[0] - x[3]) * (x[0] - x[3]) / (first + second);
        double free = (first + second) * (first + second)
            / (first * first / (x[2] - 1) + second * second / (x[5] - 1));
        return Beta.regularizedBeta(free / (free + t), free / 2, 0.5);
    }

    // Compressed text

    /** Empty where the text is not what it should be, null where it is too long. */
    private String unpacked(String text) {
        try {
            byte[] packed = Base64.getDecoder().decode(text);
            boolean gzip = name.equals("gzip");
            if (gzip && (packed.length < 10 || packed[3] != 0)) {
                return "";
            }
            InputStream bytes = new ByteArrayInputStream(packed);
            InputStream stream = gzip ? (InputStream) new GZIPInputStream(bytes) : new InflaterInputStream(bytes);
            ByteArrayOutputStream whole = new ByteArrayOutputStream();
            byte[] part = new byte[8192];
            for (int size = stream.read(part); size >= 0; size = stream.read(part)) {
                whole.write(part, 0, size);
                if (whole.size() > MAX_UNPACKED) {
                    return null;
                }
            }
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(whole.toByteArray())).toString();
        } catch (IllegalArgumentException e) {
            return "";
        } catch (IOException e) {
            return "";
        }
    }

    // Punycode

    private String punycode(String text) {
        try {
            if (name.equals("punycode_from_string")) {
                return Punycode.encode(text, null).toString();
            }
            if (name.equals("punycode_to_string")) {
                return Punycode.decode(text, null).toString();
            }
            return domain(text, name.equals("punycode_domain_to_string"));
        } catch (Exception e) {
            return "";
        }
    }

    private static String domain(String text, boolean encode) throws Exception {
        String[] labels = (encode ? text.replaceAll("[\u3002\uff0e\uff61]", ".") : text).split("\\.", -1);
        for (int i = 0; i < labels.length; i++) {
            if (encode && !isAscii(labels[i])) {
                labels[i] = "xn--" + Punycode.encode(labels[i], null);
            } else if (!encode && labels[i].startsWith("xn--")) {
                labels[i] = Punycode.decode(labels[i].substring(4), null).toString();
            }
        }
        return String.join(".", labels);
    }

    private static boolean isAscii(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) >= 128) {
                return false;
            }
        }
        return true;
    }

    // The shape of JSON

    /** Null where the text is not JSON, or too deep for the parser. */
    private static String[] paths(String text) {
        try {
            LinkedHashSet found = new LinkedHashSet();
            paths((JsonNode) new ObjectMapper().readTree(text), "", found);
            return (String[]) found.toArray(new String[0]);
        } catch (IOException e) {
            return null;
        }
    }

    private static void paths(JsonNode node, String path, LinkedHashSet found) {
        if (!path.isEmpty()) {
            found.add(path);
        }
        if (node.isArray()) {
            for (int i = 0; i < node.size(); i++) {
                paths((JsonNode) node.get(i), path + "[0]", found);
            }
        }
        for (Iterator names = node.fieldNames(); names.hasNext(); ) {
            String key = (String) names.next();
            paths((JsonNode) node.get(key), path + "['" + key + "']", found);
        }
    }

    private static String schema(Seq values) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        Shape shape = new Shape();
        for (int i = 0; i < values.size(); i++) {
            if (values.apply(i) == null) {
                continue;
            }
            try {
                shape.add((JsonNode) mapper.readTree((String) values.apply(i)));
            } catch (IOException e) {
                return null; // too deep for the parser
            }
        }
        return shape.written(mapper);
    }

    /** What the values at one place are: names of types, properties, elements, in the order in which they appear. */
    private static final class Shape {
        private final LinkedHashSet kinds = new LinkedHashSet();
        private final LinkedHashMap properties = new LinkedHashMap();
        private Shape elements;

        void add(JsonNode node) {
            if (node.isObject()) {
                kinds.add("{");
                for (Iterator names = node.fieldNames(); names.hasNext(); ) {
                    String key = (String) names.next();
                    if (!properties.containsKey(key)) {
                        properties.put(key, new Shape());
                    }
                    ((Shape) properties.get(key)).add((JsonNode) node.get(key));
                }
            } else if (node.isArray()) {
                kinds.add("[");
                if (elements == null) {
                    elements = new Shape();
                }
                for (int i = 0; i < node.size(); i++) {
                    elements.add((JsonNode) node.get(i));
                }
            } else if (!node.isNull()) {
                kinds.add(kind(node));
            }
        }

        private static String kind(JsonNode node) {
            if (node.isBoolean()) {
                return "bool";
            }
            return node.isTextual() ? "string" : node.isIntegralNumber() ? "long" : "double";
        }

        String written(ObjectMapper mapper) throws Exception {
            StringBuilder text = new StringBuilder();
            for (Iterator each = kinds.iterator(); each.hasNext(); ) {
                String kind = (String) each.next();
                text.append(text.length() == 0 ? "" : ",");
                if (kind.equals("{")) {
                    text.append(bag(mapper));
                } else if (kind.equals("[")) {
                    text.append("{\"`indexer`\":").append(elements.written(mapper)).append("}");
                } else {
                    text.append('"').append(kind).append('"');
                }
            }
            return kinds.size() == 1 ? text.toString() : "[" + text + "]";
        }

        private String bag(ObjectMapper mapper) throws Exception {
            StringBuilder text = new StringBuilder("{");
            for (Iterator each = properties.keySet().iterator(); each.hasNext(); ) {
                String key = (String) each.next();
                text.append(text.length() == 1 ? "" : ",").append(mapper.writeValueAsString(key)).append(':');
                text.append(((Shape) properties.get(key)).written(mapper));
            }
            return text.append("}").toString();
        }
    }

    /**
     * The values of some keys in a text of key-value pairs; the first of each counts. White space around keys and values
     * does not, also where it is the delimiter of pairs.
     */
    private static final class Pairs {
        private static final int KEYS = 5;

        final String[] found;
        private final String text;
        private final String between;
        private final String within;
        private final String quotes;
        private final String escapes;
        private final boolean greedy;
        private final String[] keys;
        private final boolean[] unclosed;
        private int after;

        /** Options: delimiters of pairs, of keys; quotes, opening and closing by turns; escapes; "greedy"; keys. */
        Pairs(String text, String[] options) {
            this.text = text;
            between = options[0];
            within = options[1];
            quotes = options[2];
            escapes = options[3];
            greedy = options[4].equals("greedy");
            keys = new String[options.length - KEYS];
            System.arraycopy(options, KEYS, keys, 0, keys.length);
            found = new String[keys.length];
            unclosed = new boolean[quotes.length()];
            if (between.isEmpty()) {
                readWords();
            } else {
                read();
            }
        }

        /** Without delimiters: the word, or the quoted text, after a key. */
        private void readWords() {
            String last = null;
            for (int at = 0; at < text.length(); at = after) {
                after = at + 1;
                String word = quoted(at);
                if (word == null && !Character.isLetterOrDigit(text.charAt(at))) {
                    continue;
                }
                if (word == null) {
                    while (after < text.length() && Character.isLetterOrDigit(text.charAt(after))) {
                        after++;
                    }
                    word = text.substring(at, after);
                }
                if (last != null) {
                    note(last, word);
                }
                last = word;
            }
        }

        private void read() {
            int at = skipped(0);
            while (at < text.length()) {
                String key = key(at);
                if (key == null) {
                    at = skipped(pastPair(after));
                    continue;
                }
                int start = valueStart(after + within.length());
                String value = quoted(start);
                if (value == null) {
                    int end = greedy ? lastEnd(start) : end(start);
                    value = text.substring(Math.min(start, end), end).trim();
                    after = end;
                }
                note(key, value);
                at = skipped(pastPair(after));
            }
        }

        /** The key that starts here; null if a pair ends before there is a delimiter, which `after` is the place of. */
        private String key(int at) {
            String key = quoted(at);
            if (key != null) {
                after = skipped(after);
                return text.startsWith(within, after) ? key : null;
            }
            for (int i = at; i < text.length(); i++) {
                boolean ends = text.startsWith(between, i);
                int next = ends ? skipped(i) : i;
                if (text.startsWith(within, next)) {
                    after = next;
                    return text.substring(at, i).trim();
                }
                if (ends) {
                    after = i;
                    return null;
                }
            }
            after = text.length();
            return null;
        }

        /** Behind white space, unless that holds the end of the pair and another key follows: the value is empty. */
        private int valueStart(int at) {
            int start = skipped(at);
            boolean ended = start - at >= between.length() && text.substring(at, start).contains(between);
            return ended && quoted(start) == null && text.substring(start, end(start)).contains(within) ? at : start;
        }

        private int end(int start) {
            int end = text.indexOf(between, start);
            return end < 0 ? text.length() : end;
        }

        /** The last end of a pair before the next key. */
        private int lastEnd(int start) {
            int last = -1;
            boolean word = false;
            for (int i = start; i < text.length(); i++) {
                boolean ends = text.startsWith(between, i);
                int next = ends ? skipped(i) : i;
                if (text.startsWith(within, next)) {
                    if (word && last >= 0) {
                        return last;
                    }
                    i = next;
                } else if (ends) {
                    last = i;
                    word = false;
                    i = Math.max(i, next - 1);
                } else {
                    word |= !Character.isWhitespace(text.charAt(i));
                }
            }
            return text.length();
        }

        private int pastPair(int at) {
            int end = text.indexOf(between, at);
            return end < 0 ? text.length() : end + between.length();
        }

        private int skipped(int at) {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
            return at;
        }

        /** The text in quotes that starts here, and its end in `after`; null if there is none. */
        private String quoted(int at) {
            for (int quote = 0; at < text.length() && quote < quotes.length(); quote += 2) {
                if (unclosed[quote] || text.charAt(at) != quotes.charAt(quote)) {
                    continue;
                }
                StringBuilder inside = new StringBuilder();
                for (int i = at + 1; i < text.length(); i++) {
                    char c = text.charAt(i);
                    if (escapes.indexOf(c) >= 0 && i + 1 < text.length()) {
                        inside.append(text.charAt(++i));
                    } else if (c == quotes.charAt(quote + 1)) {
                        after = i + 1;
                        return inside.toString();
                    } else {
                        inside.append(c);
                    }
                }
                unclosed[quote] = true; // nor will a later one be: each text is read once
            }
            return null;
        }

        private void note(String key, String value) {
            for (int i = 0; i < keys.length; i++) {
                if (found[i] == null && keys[i].equals(key)) {
                    found[i] = value;
                }
            }
        }
    }
}
