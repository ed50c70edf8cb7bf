import java.io.Serializable;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.LeafExpression;
import org.apache.spark.sql.catalyst.expressions.codegen.CodeBlock;
import org.apache.spark.sql.catalyst.expressions.codegen.CodegenContext;
import org.apache.spark.sql.catalyst.expressions.codegen.ExprCode;
import org.apache.spark.sql.catalyst.expressions.codegen.FalseLiteral$;
import org.apache.spark.sql.classic.ExpressionUtils;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * What Cancellation.java is, for rows as they are read: it takes no arguments, for which columns would be read, and is a
 * few nanoseconds of generated code, where a call of a function takes most of the time of a count.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class NotCancelled extends LeafExpression implements Serializable {
    public Column column() {
        return ExpressionUtils.column(this);
    }

    public boolean foldable() {
        return false;
    }

    public boolean nullable() {
        return false;
    }

    public DataType dataType() {
        return DataTypes.BooleanType;
    }

    public Object eval(InternalRow row) {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) {
            throw new TaskKilledException("cancelled");
        }
        return Boolean.TRUE;
    }

    public ExprCode doGenCode(CodegenContext context, ExprCode given) {
        String task = context.freshName("task");
        String code = "org.apache.spark.TaskContext " + task + " = org.apache.spark.TaskContext.get();\n"
                + "if (" + task + " != null && " + task + ".isInterrupted()) {\n"
                + "  throw new org.apache.spark.TaskKilledException(\"cancelled\");\n"
                + "}\n"
                + "boolean " + given.value() + " = true;";
        Object[] none = new Object[0];
        Seq parts = sequence(new Object[] {code});
        return given.copy(new CodeBlock(parts, sequence(none)), FalseLiteral$.MODULE$, given.value());
    }

    private static Seq sequence(Object[] values) {
        return CollectionConverters.asScala(java.util.Arrays.asList(values)).toSeq();
    }

    public int productArity() {
        return 0;
    }

    public Object productElement(int number) {
        throw new IndexOutOfBoundsException();
    }

    public boolean canEqual(Object other) {
        return other instanceof NotCancelled;
    }

    public boolean equals(Object other) {
        return other instanceof NotCancelled;
    }

    public int hashCode() {
        return 1;
    }
}
