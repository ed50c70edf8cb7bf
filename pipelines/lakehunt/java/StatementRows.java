import java.lang.reflect.Field;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.apache.hive.service.cli.FetchOrientation;
import org.apache.hive.service.cli.HiveSQLException;
import org.apache.hive.service.cli.OperationHandle;
import org.apache.hive.service.cli.operation.OperationManager;
import org.apache.hive.service.rpc.thrift.TColumn;
import org.apache.hive.service.rpc.thrift.TRowSet;
import org.apache.spark.sql.hive.thriftserver.server.SparkSQLOperationManager;

/**
 * The statements of all clients of the SQL endpoint: one whose result has too many rows fails when a client fetches the
 * first of these. Spark's server has no such limit, and delivers a result part by part.
 */
public final class StatementRows extends SparkSQLOperationManager {
    private final Map delivered = new ConcurrentHashMap();
    private long most;

    /** Spark's class takes this from the class above that of the object, which it expects to be Hive's. */
    public StatementRows() throws ReflectiveOperationException {
        Field ofHive = OperationManager.class.getDeclaredField("handleToOperation");
        Field ofSpark = SparkSQLOperationManager.class.getDeclaredField("handleToOperation");
        ofHive.setAccessible(true);
        ofSpark.setAccessible(true);
        ofSpark.set(this, ofHive.get(this));
    }

    public void limit(long most) {
        this.most = most;
    }

    public TRowSet getOperationNextRowSet(OperationHandle statement, FetchOrientation orientation, long rows)
            throws HiveSQLException {
        TRowSet found = super.getOperationNextRowSet(statement, orientation, rows);
        Long before = orientation == FetchOrientation.FETCH_NEXT ? (Long) delivered.get(statement) : null;
        long count = (before == null ? 0 : before.longValue()) + size(found);
        delivered.put(statement, Long.valueOf(count));
        if (count > most) {
            throw new HiveSQLException("the result has more than " + String.format("%,d", new Object[] {Long.valueOf(most)})
                + " rows, the limit: ask for less (LIMIT, WHERE, GROUP BY), or raise limits.sql_rows in the configuration"
                + " of lakehunt serve");
        }
        return found;
    }

    public void closeOperation(OperationHandle statement) throws HiveSQLException {
        delivered.remove(statement);
        super.closeOperation(statement);
    }

    /** Clients get columns, very old ones rows. */
    private static int size(TRowSet found) throws HiveSQLException {
        if (found.getColumnsSize() == 0) {
            return found.getRowsSize();
        }
        Object values = ((TColumn) found.getColumns().get(0)).getFieldValue();
        try {
            return ((List) values.getClass().getMethod("getValues", new Class[0]).invoke(values, new Object[0])).size();
        } catch (ReflectiveOperationException e) {
            throw new HiveSQLException("the rows of a result cannot be counted: " + e, e);
        }
    }
}
