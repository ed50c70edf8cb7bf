import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;

import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.parser.ParserInterface;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;

import scala.Product;
import scala.Tuple2;
import scala.runtime.AbstractFunction2;

/**
 * Wraps the parser of every client session and only admits what statement_gate.py allows, for the reasons given there.
 *
 * Spark's own compiler for the code of queries, Janino, compiles this file when the endpoint starts. Janino knows
 * generics by their raw types only.
 */
public final class StatementGate extends AbstractFunction2 {
    private Map rules;
    private scala.collection.immutable.Map given;
    ClassLoader jars;

    /** Takes the rules of statement_gate.py, a fresh client session (for its settings), and the class loader of Spark's jars. */
    public void configure(Map rules, SparkSession fresh, ClassLoader jars) {
        this.rules = rules;
        this.given = fresh.conf().getAll();
        this.jars = jars;
    }

    /** Called by Spark for each new session: returns its parser behind the gate. */
    public Object apply(Object session, Object parser) {
        Class[] interfaces = new Class[] {ParserInterface.class};
        return Proxy.newProxyInstance(ParserInterface.class.getClassLoader(), interfaces, new Guard(this, session, parser));
    }

    /** A proxy of the parser: every plan that it returns has been checked. */
    public static final class Guard implements InvocationHandler {
        private final StatementGate gate;
        private final SparkSession session;
        private final Object parser;

        Guard(StatementGate gate, Object session, Object parser) {
            this.gate = gate;
            this.session = (SparkSession) session;
            this.parser = parser;
        }

        public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
            boolean plans = LogicalPlan.class.isAssignableFrom(method.getReturnType());
            if (plans) {
                gate.checkSettings(session);
                // The USE of a connection runs with Hive's class loader, which does not know the jar of Delta.
                Thread.currentThread().setContextClassLoader(gate.jars);
            }
            Object parsed;
            try {
                parsed = method.invoke(parser, arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
            if (plans) {
                gate.check(parsed);
            }
            return parsed;
        }
    }

    /** A client's settings could change where tables are looked up or which classes are loaded. */
    void checkSettings(SparkSession session) {
        scala.collection.Iterator settings = session.conf().getAll().iterator();
        while (settings.hasNext()) {
            Tuple2 setting = (Tuple2) settings.next();
            boolean own = given.contains(setting._1()) && given.apply(setting._1()).equals(setting._2());
            // Hive's server hands its JVM's properties to each session; a client can set none (Sealed).
            boolean ofTheJvm = setting._2().equals(System.getProperty((String) setting._1()));
            if (!own && !ofTheJvm && !has("settings", setting._1())) {
                throw refused("the connection's setting " + setting._1());
            }
        }
    }

    /** Checks a plan and everything nested in it: plans, expressions, plans in expressions, in any list or pair. */
    void check(Object part) {
        if (part instanceof LogicalPlan) {
            checkPlan((LogicalPlan) part);
        } else if (part instanceof Expression) {
            checkExpression((Expression) part);
        }
        if (part instanceof scala.collection.Iterable) {
            checkEach(((scala.collection.Iterable) part).iterator());
        } else if (part instanceof Product) {
            checkEach(((Product) part).productIterator());
        }
    }

    private void checkEach(scala.collection.Iterator parts) {
        while (parts.hasNext()) {
            check(parts.next());
        }
    }

    private void checkPlan(LogicalPlan plan) {
        String kind = plan.getClass().getName();
        if (!has("plans", kind)) {
            throw refused(shortened(kind));
        }
        if (has("tables", kind)) {
            checkTable(names(plan));
        } else if (has("namespaces", kind)) {
            checkSchema(names(plan));
        } else if (has("table functions", kind)) {
            checkTableFunction(last(names(plan)));
        }
        if (has("tables with options", kind) && !((Map) ((Product) plan).productElement(1)).isEmpty()) {
            throw refused("a table with options");
        }
    }

    private void checkExpression(Expression expression) {
        String kind = expression.getClass().getName();
        if (!kind.startsWith("org.apache.spark.sql.catalyst.expressions.") && !has("expressions", kind)) {
            throw refused(shortened(kind));
        }
        if (has("functions", kind) && has("refused functions", last(names(expression)))) {
            throw refused("the function " + last(names(expression)));
        }
        if (has("generators", kind)) {
            checkTableFunction(((Product) ((Product) expression).productElement(0)).productElement(0).toString());
        }
    }

    private void checkTable(String[] parts) {
        int length = parts.length;
        boolean inCatalog = length == 3 && parts[0].equals("spark_catalog");
        if (length > 1 && !((length == 2 || inCatalog) && has("schemas", parts[length - 2]))) {
            throw refused("the table " + String.join(".", parts));
        }
    }

    private void checkSchema(String[] parts) {
        for (int i = 0; i < parts.length; i++) {
            boolean catalog = i == 0 && parts[i].equals("spark_catalog");
            if (!catalog && !(i == parts.length - 1 && has("schemas", parts[i]))) {
                throw refused("the schema " + String.join(".", parts));
            }
        }
    }

    private void checkTableFunction(String name) {
        if (!has("allowed table functions", name.toLowerCase(Locale.ROOT))) {
            throw refused("the table function " + name);
        }
    }

    /** The parts of the name that a node has as its first element, in lower case. */
    private static String[] names(Object node) {
        scala.collection.Seq parts = (scala.collection.Seq) ((Product) node).productElement(0);
        String[] names = new String[parts.length()];
        for (int i = 0; i < names.length; i++) {
            names[i] = parts.apply(i).toString().toLowerCase(Locale.ROOT);
        }
        return names;
    }

    private static String last(String[] names) {
        return names[names.length - 1];
    }

    private static String shortened(String kind) {
        return kind.substring(kind.lastIndexOf('.') + 1).replace("$", "");
    }

    private boolean has(String rule, Object value) {
        return ((Collection) rules.get(rule)).contains(value);
    }

    static RuntimeException refused(String what) {
        return new SecurityException("lakehunt serve answers queries, and refuses " + what + " (docs/how-to/sql.md)");
    }

    /** System properties that a connection cannot set: Hive's server would, for a setting called `system:...`. */
    public static final class Sealed extends Properties {
        public synchronized Object setProperty(String key, String value) {
            StackTraceElement[] callers = Thread.currentThread().getStackTrace();
            for (int i = 0; i < callers.length; i++) {
                if (callers[i].getClassName().equals("org.apache.hive.service.cli.session.HiveSessionImpl")) {
                    throw refused("the connection's setting system:" + key);
                }
            }
            return super.setProperty(key, value);
        }
    }

    /** Replaces the system properties by sealed ones. */
    public void sealProperties() {
        Sealed sealed = new Sealed();
        sealed.putAll(System.getProperties());
        System.setProperties(sealed);
    }
}
