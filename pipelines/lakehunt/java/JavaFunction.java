import java.io.Serializable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.api.java.UDF3;
import org.apache.spark.sql.api.java.UDF4;
import org.apache.spark.sql.api.java.UDF5;
import org.apache.spark.sql.api.java.UDF6;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;

/** A public static method as a function of Spark. Its parameters and its result are objects; null is null in Spark. */
public final class JavaFunction implements UDF1, UDF2, UDF3, UDF4, UDF5, UDF6, Serializable {
    private Class owner;
    private String name;
    private transient Method method;

    public UserDefinedFunction of(Class owner, String name, DataType returns) {
        this.owner = owner;
        this.name = name;
        switch (found().getParameterCount()) {
            case 1:
                return functions.udf((UDF1) this, returns);
            case 2:
                return functions.udf((UDF2) this, returns);
            case 3:
                return functions.udf((UDF3) this, returns);
            case 4:
                return functions.udf((UDF4) this, returns);
            case 5:
                return functions.udf((UDF5) this, returns);
            default:
                return functions.udf((UDF6) this, returns);
        }
    }

    private Method found() {
        if (method == null) {
            Method[] all = owner.getMethods();
            for (int i = 0; i < all.length && method == null; i++) {
                method = all[i].getName().equals(name) ? all[i] : null;
            }
        }
        return method;
    }

    private Object invoke(Object[] values) throws Exception {
        try {
            return found().invoke(null, values);
        } catch (InvocationTargetException e) {
            throw e.getCause() instanceof Exception ? (Exception) e.getCause() : e;
        }
    }

    public Object call(Object a) throws Exception {
        return invoke(new Object[] {a});
    }

    public Object call(Object a, Object b) throws Exception {
        return invoke(new Object[] {a, b});
    }

    public Object call(Object a, Object b, Object c) throws Exception {
        return invoke(new Object[] {a, b, c});
    }

    public Object call(Object a, Object b, Object c, Object d) throws Exception {
        return invoke(new Object[] {a, b, c, d});
    }

    public Object call(Object a, Object b, Object c, Object d, Object e) throws Exception {
        return invoke(new Object[] {a, b, c, d, e});
    }

    public Object call(Object a, Object b, Object c, Object d, Object e, Object f) throws Exception {
        return invoke(new Object[] {a, b, c, d, e, f});
    }
}
