import java.io.Serializable;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;

/**
 * Always true, but ends a task that was cancelled (cancelling.py has the reasons).
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class Cancellation implements UDF2, Serializable {
    public UserDefinedFunction function() {
        return functions.udf((UDF2) this, DataTypes.BooleanType).withName("not_cancelled").asNonNullable();
    }

    public Object call(Object left, Object right) {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) {
            throw new TaskKilledException("cancelled");
        }
        return Boolean.TRUE;
    }
}
