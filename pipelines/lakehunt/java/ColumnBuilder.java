import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.api.python.PythonUtils;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.api.python.PythonSQLUtils;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import scala.collection.immutable.Seq;

/**
 * Makes Spark columns from a description of them (lakehunt/spark/columns.py says which steps there are): one call from
 * Python instead of one for each function and operator.
 */
public final class ColumnBuilder {
    private static final ObjectMapper JSON = new ObjectMapper();
    private final ConcurrentHashMap methods = new ConcurrentHashMap();

    /**
     * @param steps a JSON array; a step is an array of a letter, and what it needs, in which a column is the number of
     *     the step that makes it
     * @param made columns and functions that exist already
     * @return the column of the last step
     */
    public Column column(String steps, List made) throws Exception {
        Column[] columns = all(JSON.readTree(steps), made);
        return columns[columns.length - 1];
    }

    /** The frame with the columns of these steps only. */
    public Dataset select(Dataset frame, String steps, String numbers, List made) throws Exception {
        Column[] columns = all(JSON.readTree(steps), made);
        return frame.select(chosen(columns, JSON.readTree(numbers), 0));
    }

    private Column[] all(JsonNode steps, List made) throws Exception {
        Column[] columns = new Column[steps.size()];
        for (int i = 0; i < columns.length; i++) {
            columns[i] = step((JsonNode) steps.get(i), columns, made);
        }
        return columns;
    }

    private Column step(JsonNode step, Column[] columns, List made) throws Exception {
        switch (text(step, 0).charAt(0)) {
            case 'l':
                return functions.lit(literal((JsonNode) step.get(1)));
            case 'd':
                return functions.lit(Double.valueOf(text(step, 1)));
            case 'c':
                return functions.col(text(step, 1));
            case 'f':
                return function(text(step, 1), chosen(columns, step, 2));
            case 'n':
                return functions.call_function(text(step, 1), seq(chosen(columns, step, 2)));
            case 'm':
                return method(text(step, 1), columns[number(step, 2)], chosen(columns, step, 3));
            case 'r':
                return columns[number(step, 1)].rlike(text(step, 2));
            case 'a':
                return columns[number(step, 1)].as(text(step, 2));
            case 't':
                return columns[number(step, 1)].cast(text(step, 2));
            case 'y':
                return columns[number(step, 1)].try_cast(text(step, 2));
            case 'j':
                return columns[number(step, 1)].cast(DataType.fromJson(text(step, 2)));
            case 'i':
                return columns[number(step, 1)].isin(seq(chosen(columns, step, 2)));
            case 'v':
                return PythonSQLUtils.unresolvedNamedLambdaVariable(text(step, 1));
            case 'u':
                return PythonSQLUtils.lambdaFunction(columns[number(step, 1)], seq(chosen(columns, step, 2)));
            case 'h':
                return PythonSQLUtils.fn(text(step, 1), seq(chosen(columns, step, 2)));
            case 'k':
                return ((UserDefinedFunction) made.get(number(step, 1))).apply(seq(chosen(columns, step, 2)));
            case 'x':
                return (Column) made.get(number(step, 1));
            default:
                throw new IllegalArgumentException("not a step: " + step);
        }
    }

    // Janino takes the method of JsonNode's interface, which returns less.
    private static String text(JsonNode step, int place) {
        return ((JsonNode) step.get(place)).textValue();
    }

    private static int number(JsonNode step, int place) {
        return ((JsonNode) step.get(place)).intValue();
    }

    private static Object literal(JsonNode value) {
        if (value.isNull()) {
            return null;
        }
        if (value.isBoolean()) {
            return Boolean.valueOf(value.booleanValue());
        }
        if (value.isTextual()) {
            return value.textValue();
        }
        return value.isInt() ? (Object) Integer.valueOf(value.intValue()) : (Object) Long.valueOf(value.longValue());
    }

    /** The columns of the steps that a step names from this place on. */
    private static Column[] chosen(Column[] columns, JsonNode step, int from) {
        Column[] some = new Column[step.size() - from];
        for (int i = 0; i < some.length; i++) {
            some[i] = columns[number(step, from + i)];
        }
        return some;
    }

    private static Seq seq(Column[] columns) {
        return PythonUtils.toSeq(Arrays.asList((Object[]) columns));
    }

    private Column function(String name, Column[] arguments) throws Exception {
        Method found = found(functions.class, name, arguments.length);
        if (found == null) {
            throw new IllegalArgumentException("Spark has no function " + name + " of " + arguments.length + " columns");
        }
        boolean all = found.getParameterTypes().length == 1 && found.getParameterTypes()[0] == Seq.class;
        return called(found, null, all ? new Object[] {seq(arguments)} : (Object[]) arguments);
    }

    private Column method(String name, Column on, Column[] arguments) throws Exception {
        Method found = found(Column.class, name, arguments.length);
        return called(found, on, (Object[]) arguments);
    }

    private static Column called(Method method, Object on, Object[] arguments) throws Exception {
        try {
            return (Column) method.invoke(on, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
        }
    }

    /** The public method that takes as many columns, or any number of them; null if there is none. */
    private Method found(Class owner, String name, int count) {
        String key = owner.getName() + " " + name + " " + count;
        Object known = methods.get(key);
        if (known == null) {
            Method searched = searched(owner, name, count);
            known = searched == null ? (Object) key : (Object) searched;
            methods.put(key, known);
        }
        return known instanceof Method ? (Method) known : null;
    }

    private static Method searched(Class owner, String name, int count) {
        Method[] all = owner.getMethods();
        Method any = null;
        for (int i = 0; i < all.length; i++) {
            Class[] types = all[i].getParameterTypes();
            if (!all[i].getName().equals(name) || all[i].getReturnType() != Column.class) {
                continue;
            }
            if (types.length == 1 && types[0] == Seq.class) {
                any = all[i];
            } else if (types.length == count && areColumns(types)) {
                return all[i];
            }
        }
        return any;
    }

    private static boolean areColumns(Class[] types) {
        for (int i = 0; i < types.length; i++) {
            if (types[i] != Column.class && types[i] != Object.class) {
                return false;
            }
        }
        return true;
    }
}
