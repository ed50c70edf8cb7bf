import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * What Spark's parsers do not keep of a record: how its numbers were written, and halves of UTF-16 surrogate pairs.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class DeliveredText implements UDF1, Serializable {
    private static final JsonFactory JSON = new JsonFactory();
    private static final int EXACT_DIGITS = 15;
    private static final int DIGITS_OF_DECIMAL = 38;

    private String[] dynamic;

    /** @param columns the names of the columns of type dynamic */
    public void configure(List columns) {
        dynamic = (String[]) columns.toArray(new String[0]);
    }

    /** This as a function of a record. Non-deterministic, so that Spark evaluates it once per row. */
    public UserDefinedFunction function() {
        StructType fields = new StructType();
        for (int i = 0; i < dynamic.length; i++) {
            fields = fields.add(dynamic[i], DataTypes.StringType);
        }
        StructType type = new StructType().add("exact", DataTypes.StringType).add("dynamic", fields);
        return functions.udf((UDF1) this, type).asNondeterministic();
    }

    /**
     * @param record a valid JSON object
     * @return `exact`: the event with sorted keys, every number as it was written and surrogates as escapes; null if the
     *     parsed columns say all of that. `dynamic`: the objects and arrays in columns of type dynamic, as compact JSON
     */
    public Object call(Object record) throws IOException {
        Object[] found = new Object[dynamic.length];
        String exact = null;
        JsonParser parser = JSON.createParser((String) record);
        try {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                boolean isEvent = parser.currentName().equals("properties");
                parser.nextToken();
                if (isEvent && parser.currentToken() == JsonToken.START_OBJECT) {
                    exact = event(parser, found);
                } else {
                    parser.skipChildren();
                }
            }
        } finally {
            parser.close();
        }
        return RowFactory.create(new Object[] {exact, RowFactory.create(found)});
    }

    private String event(JsonParser parser, Object[] found) throws IOException {
        boolean lossless = true;
        List members = new ArrayList();
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            int column = place(name);
            parser.nextToken();
            boolean nested = parser.currentToken().isStructStart();
            Value value = read(parser, column >= 0);
            if (column >= 0 && nested) {
                found[column] = value.stored.toString();
            }
            lossless &= value.lossless && isWellFormed(name);
            members.add(quoted(name, true) + ":" + value.exact);
        }
        return lossless ? null : object(members);
    }

    private int place(String name) {
        for (int i = 0; i < dynamic.length; i++) {
            if (dynamic[i].equals(name)) {
                return i;
            }
        }
        return -1;
    }

    private static Value read(JsonParser parser, boolean isDynamic) throws IOException {
        JsonToken token = parser.currentToken();
        if (token == JsonToken.START_OBJECT) {
            return readObject(parser, isDynamic);
        }
        if (token == JsonToken.START_ARRAY) {
            return readArray(parser, isDynamic);
        }
        String text = parser.getText();
        if (token == JsonToken.VALUE_STRING) {
            return new Value(quoted(text, true), quoted(text, false), isWellFormed(text));
        }
        boolean lossless = !token.isNumeric() || (isDynamic ? survivesAsDouble(text) : survivesAsDecimal(text));
        return new Value(text, text, lossless);
    }

    private static Value readObject(JsonParser parser, boolean isDynamic) throws IOException {
        boolean lossless = true;
        List members = new ArrayList();
        StringBuilder stored = new StringBuilder("{");
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            parser.nextToken();
            Value value = read(parser, isDynamic);
            stored.append(stored.length() > 1 ? "," : "").append(quoted(name, false)).append(":").append(value.stored);
            lossless &= value.lossless && isWellFormed(name);
            members.add(quoted(name, true) + ":" + value.exact);
        }
        return new Value(object(members), stored.append("}").toString(), lossless);
    }

    private static Value readArray(JsonParser parser, boolean isDynamic) throws IOException {
        boolean lossless = true;
        StringBuilder exact = new StringBuilder("[");
        StringBuilder stored = new StringBuilder("[");
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            Value value = read(parser, isDynamic);
            String comma = stored.length() > 1 ? "," : "";
            exact.append(comma).append(value.exact);
            stored.append(comma).append(value.stored);
            lossless &= value.lossless;
        }
        return new Value(exact.append("]").toString(), stored.append("]").toString(), lossless);
    }

    private static String object(List members) {
        Collections.sort(members);
        StringBuilder text = new StringBuilder("{");
        for (Iterator i = members.iterator(); i.hasNext(); ) {
            text.append(text.length() > 1 ? "," : "").append((String) i.next());
        }
        return text.append("}").toString();
    }

    /**
     * Whether Spark's get_json_object, which writes a fraction as Java writes the double, gives different numbers
     * different texts: true for those that are written in the usual way.
     */
    private static boolean survivesAsDouble(String number) {
        int point = number.indexOf('.');
        if (hasExponent(number) || number.equals("-0")) {
            return false;
        }
        if (point < 0) {
            return true;
        }
        boolean shortest = !number.endsWith("0") || point == number.length() - 2;
        return shortest && digits(number) <= EXACT_DIGITS || number.equals(Double.toString(Double.parseDouble(number)));
    }

    /** The same for a VARIANT, which keeps a decimal without the zeros at its end. */
    private static boolean survivesAsDecimal(String number) {
        boolean endsInZero = number.indexOf('.') >= 0 && number.endsWith("0");
        return !hasExponent(number) && !number.equals("-0") && !endsInZero && digits(number) <= DIGITS_OF_DECIMAL;
    }

    private static boolean hasExponent(String number) {
        return number.indexOf('e') >= 0 || number.indexOf('E') >= 0;
    }

    private static int digits(String number) {
        int count = 0;
        for (int i = 0; i < number.length(); i++) {
            count += Character.isDigit(number.charAt(i)) ? 1 : 0;
        }
        return count;
    }

    private static boolean isWellFormed(String text) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                if (!isPair(text, i)) {
                    return false;
                }
                i++;
            }
        }
        return true;
    }

    private static boolean isPair(String text, int i) {
        return i + 1 < text.length() && Character.isSurrogatePair(text.charAt(i), text.charAt(i + 1));
    }

    /** @param exact half of a surrogate pair becomes an escape; otherwise it becomes U+FFFD */
    private static String quoted(String text, boolean exact) {
        StringBuilder made = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            int simple = "\"\\\b\t\n\f\r".indexOf(c);
            if (simple >= 0) {
                made.append('\\').append("\"\\btnfr".charAt(simple));
            } else if (c < ' ') {
                made.append(String.format("\\u%04X", new Object[] {Integer.valueOf(c)}));
            } else if (Character.isSurrogate(c) && isPair(text, i)) {
                made.append(c).append(text.charAt(++i));
            } else if (Character.isSurrogate(c)) {
                made.append(exact ? String.format("\\u%04X", new Object[] {Integer.valueOf(c)}) : "\uFFFD");
            } else {
                made.append(c);
            }
        }
        return made.append('"').toString();
    }

    /** A JSON value as two texts, and whether Spark's parsers keep all of it. */
    private static final class Value {
        final String exact;
        final String stored;
        final boolean lossless;

        Value(String exact, String stored, boolean lossless) {
            this.exact = exact;
            this.stored = stored;
            this.lossless = lossless;
        }
    }
}
