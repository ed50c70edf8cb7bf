import java.lang.reflect.Field;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

import org.apache.hive.service.cli.FetchOrientation;
import org.apache.hive.service.cli.HiveSQLException;
import org.apache.hive.service.cli.OperationHandle;
import org.apache.hive.service.cli.OperationState;
import org.apache.hive.service.cli.operation.ExecuteStatementOperation;
import org.apache.hive.service.cli.operation.Operation;
import org.apache.hive.service.cli.operation.OperationManager;
import org.apache.hive.service.cli.session.HiveSession;
import org.apache.hive.service.rpc.thrift.TColumn;
import org.apache.hive.service.rpc.thrift.TRowSet;
import org.apache.spark.sql.hive.thriftserver.server.SparkSQLOperationManager;

/**
 * The statements of all clients of the SQL endpoint. Spark's server has no limit for either of these:
 *
 * A statement whose result has too many rows fails when a client fetches the first of these, as a result is delivered
 * part by part.
 *
 * Only so many statements are worked on at the same time, and of one user only some of these; others wait. A statement
 * is worked on while it is executed, and again while a part of its result is fetched, as Spark computes parts when they
 * are fetched. One that has been executed and is not fetched takes nothing from others.
 */
public final class Statements extends SparkSQLOperationManager {
    /** Milliseconds between two looks whether a statement may go on: states change without notice. */
    private static final long PAUSE = 100;

    private final Map delivered = new ConcurrentHashMap();
    private final Set fetched = ConcurrentHashMap.newKeySet();
    private long rows;
    private int atOnce;
    private int ofOneUser;
    private long seconds;

    /** Spark's class takes this from the class above that of the object, which it expects to be Hive's. */
    public Statements() throws ReflectiveOperationException {
        Field ofHive = OperationManager.class.getDeclaredField("handleToOperation");
        Field ofSpark = SparkSQLOperationManager.class.getDeclaredField("handleToOperation");
        ofHive.setAccessible(true);
        ofSpark.setAccessible(true);
        ofSpark.set(this, ofHive.get(this));
    }

    public void limit(long rows, int atOnce, int ofOneUser, long seconds) {
        this.rows = rows;
        this.atOnce = atOnce;
        this.ofOneUser = ofOneUser;
        this.seconds = seconds;
    }

    public synchronized ExecuteStatementOperation newExecuteStatementOperation(
            HiveSession session, String statement, Map settings, boolean async, long timeout) {
        await(session.getUserName());
        return super.newExecuteStatementOperation(session, statement, settings, async, timeout);
    }

    /** Waits until one more statement of this user may be worked on; the caller holds the monitor. */
    private void await(String user) {
        long deadline = System.nanoTime() + seconds * 1000000000L;
        while (true) {
            int all = 0;
            int own = 0;
            for (Iterator i = handleToOperation().values().iterator(); i.hasNext();) {
                Operation one = (Operation) i.next();
                if (one instanceof ExecuteStatementOperation && isWorkedOn(one)) {
                    all++;
                    own += Objects.equals(one.getParentSession().getUserName(), user) ? 1 : 0;
                }
            }
            if (all < atOnce && own < ofOneUser) {
                return;
            }
            if (System.nanoTime() > deadline) {
                boolean isOwn = own >= ofOneUser;
                throw new IllegalStateException("the statement waited for " + seconds + " s: no more than "
                    + (isOwn ? ofOneUser + " of this user's" : atOnce + " of all users'")
                    + " may run at the same time; ask again later, or raise "
                    + (isOwn ? "limits.sql_user_statements" : "limits.sql_statements")
                    + " in the configuration of lakehunt serve");
            }
            try {
                wait(PAUSE);  // lets others in
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("the statement was cancelled while it waited");
            }
        }
    }

    private boolean isWorkedOn(Operation one) {
        OperationState state = one.getStatus().getState();
        return fetched.contains(one.getHandle()) || state != OperationState.FINISHED && !state.isTerminal();
    }

    public TRowSet getOperationNextRowSet(OperationHandle statement, FetchOrientation orientation, long rows)
            throws HiveSQLException {
        TRowSet found = next(statement, orientation, rows);
        Long before = orientation == FetchOrientation.FETCH_NEXT ? (Long) delivered.get(statement) : null;
        long count = (before == null ? 0 : before.longValue()) + size(found);
        delivered.put(statement, Long.valueOf(count));
        if (count > this.rows) {
            throw new HiveSQLException("the result has more than " + String.format("%,d", new Object[] {Long.valueOf(this.rows)})
                + " rows, the limit: ask for less (LIMIT, WHERE, GROUP BY), or raise limits.sql_rows in the configuration"
                + " of lakehunt serve");
        }
        return found;
    }

    private TRowSet next(OperationHandle statement, FetchOrientation orientation, long rows) throws HiveSQLException {
        Operation one = getOperation(statement);
        if (!(one instanceof ExecuteStatementOperation)) {
            return super.getOperationNextRowSet(statement, orientation, rows);  // lists of tables and the like
        }
        synchronized (this) {
            await(one.getParentSession().getUserName());
            fetched.add(statement);
        }
        try {
            return super.getOperationNextRowSet(statement, orientation, rows);
        } finally {
            fetched.remove(statement);
        }
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
