import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.Serializable;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.hash.Murmur3_x86_32;
import org.apache.spark.util.CollectionAccumulator;
import org.apache.spark.util.TaskCompletionListener;
import scala.collection.Seq;

/**
 * Decides, from the texts of an event, of which hunts it is a hit, may be one, or is none (decisions.py says how a hunt
 * is written, and why).
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class HuntMatcher implements UDF1, Serializable {
    private static final int FALSE = 0;
    private static final int MAYBE = 1;
    private static final int TRUE = 2;

    /** What was last read: the tasks of a pass share it, as it is large, and is gone with them. */
    private static WeakReference shared = new WeakReference(null);

    private byte[] written;
    private CollectionAccumulator counts;

    private transient Work work;

    /**
     * @param written the keywords and hunts as matcher.py writes them
     * @param counts gets the counts of each task that ends: see `counts`
     */
    public void configure(byte[] written, CollectionAccumulator counts) {
        this.written = written;
        this.counts = counts;
    }

    /** This matcher as a function of columns. Non-deterministic, so that Spark evaluates it once per row. */
    public UserDefinedFunction function() {
        return functions.udf((UDF1) this, DataTypes.createArrayType(DataTypes.IntegerType, false)).asNondeterministic();
    }

    /**
     * @param event the texts of the columns as bytes of UTF-8, null for an empty one
     * @return the numbers of the hunts that it is a hit of; of one that it may be a hit of, the complement; null if there
     *     are none
     */
    public Object call(Object event) throws IOException {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) { // Spark itself looks only once per batch of rows
            throw new TaskKilledException("cancelled");
        }
        if (work == null) {
            work = new Work(hunts(written), counts);
            if (task != null) {
                task.addTaskCompletionListener(work);
            }
        }
        return work.decide((Seq) event);
    }

    /** Events, then for each hunt how often it was decided that an event is a hit, and that it may be one; with spaces. */
    public String counts() {
        long[] sum = new long[0];
        Iterator tasks = counts.value().iterator();
        while (tasks.hasNext()) {
            long[] one = (long[]) tasks.next();
            sum = sum.length == 0 ? new long[one.length] : sum;
            for (int i = 0; i < one.length; i++) {
                sum[i] += one[i];
            }
        }
        StringBuilder made = new StringBuilder();
        for (int i = 0; i < sum.length; i++) {
            made.append(i == 0 ? "" : " ").append(sum[i]);
        }
        return made.toString();
    }

    private static synchronized Hunts hunts(byte[] written) throws IOException {
        Hunts known = (Hunts) shared.get();
        if (known == null || !Arrays.equals(known.written, written)) {
            known = new Hunts(written);
            shared = new WeakReference(known);
        }
        return known;
    }

    /** All hunts, and the search of each column. Does not change. */
    private static final class Hunts {
        final byte[] written;
        final KeywordSearch[] columns;
        final int clauses;
        final Formula[] formulas;
        /** Whether a hunt has conditions on other things than keywords, which Spark evaluates. */
        final boolean[] isOpen;
        /** The hunts to decide where a clause is met, or may be. */
        final int[][] hunts;
        /** The hunts to decide for every event. */
        int[] always = new int[0];

        Hunts(byte[] written) throws IOException {
            this.written = written;
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(written));
            columns = new KeywordSearch[in.readInt()];
            for (int column = 0; column < columns.length; column++) {
                columns[column] = new KeywordSearch(in);
            }
            clauses = in.readInt();
            hunts = new int[clauses][];
            for (int clause = 0; clause < clauses; clause++) {
                hunts[clause] = KeywordSearch.numbers(in);
            }
            always = KeywordSearch.numbers(in);
            formulas = new Formula[in.readInt()];
            isOpen = new boolean[formulas.length];
            for (int hunt = 0; hunt < formulas.length; hunt++) {
                isOpen[hunt] = in.readBoolean();
                formulas[hunt] = Formula.read(in);
            }
        }
    }

    /** A condition in three-valued logic over clauses. */
    private static final class Formula {
        private static final int CLAUSE = 0;
        private static final int NOT_CLAUSE = 1;
        private static final int ALL = 2;
        private static final int ANY = 3;

        private final int operator;
        private int clause;
        private Formula[] parts;

        private Formula(int operator) {
            this.operator = operator;
        }

        /** Reads steps in postfix order: an operator, and its clause or the number of its parts. */
        static Formula read(DataInputStream in) throws IOException {
            int steps = in.readInt();
            Formula[] stack = new Formula[steps];
            int height = 0;
            for (int step = 0; step < steps; step++) {
                Formula made = new Formula(in.readInt());
                int operand = in.readInt();
                if (made.operator == ALL || made.operator == ANY) {
                    made.parts = new Formula[operand];
                    height -= operand;
                    System.arraycopy(stack, height, made.parts, 0, operand);
                } else {
                    made.clause = operand;
                }
                stack[height++] = made;
            }
            return stack[0];
        }

        /** Queries nest some hundred conditions at most (kql/reader.py), so this may call itself. */
        int value(Work work) {
            switch (operator) {
                case CLAUSE:
                    return work.clause(clause);
                case NOT_CLAUSE:
                    return TRUE - work.clause(clause);
                case ALL:
                    int all = TRUE;
                    for (int i = 0; i < parts.length && all != FALSE; i++) {
                        all = Math.min(all, parts[i].value(work));
                    }
                    return all;
                case ANY:
                    int any = FALSE;
                    for (int i = 0; i < parts.length && any != TRUE; i++) {
                        any = Math.max(any, parts[i].value(work));
                    }
                    return any;
                default:
                    return MAYBE;
            }
        }
    }

    /** What a task needs to decide one event after the other. */
    private static final class Work implements TaskCompletionListener {
        private final Hunts hunts;
        private final CollectionAccumulator counts;
        private final long[] counted;
        private final KeywordSearch.Found found;
        private final KnownTexts[] known;
        /** For each clause the last event that met it; twice its number, plus 1 if it certainly did. */
        private final int[] met;
        private int[] order = new int[64];
        private int event = 0;
        private int[] result = new int[16];
        private int size;

        Work(Hunts hunts, CollectionAccumulator counts) {
            this.hunts = hunts;
            this.counts = counts;
            counted = new long[1 + 2 * hunts.formulas.length];
            found = new KeywordSearch.Found(hunts.clauses);
            met = new int[hunts.clauses];
            known = new KnownTexts[hunts.columns.length];
            for (int column = 0; column < known.length; column++) {
                known[column] = new KnownTexts();
            }
        }

        public void onTaskCompletion(TaskContext task) {
            counts.add(counted);
        }

        Object decide(Seq texts) {
            counted[0]++;
            event++;
            if (event == 1 << 30) {
                Arrays.fill(met, 0);
                event = 1;
            }
            int clauses = 0;
            for (int column = 0; column < known.length; column++) {
                clauses = read((byte[]) texts.apply(column), column, clauses);
            }
            size = 0;
            for (int i = 0; i < clauses; i++) {
                decideAll(hunts.hunts[order[i]]);
            }
            decideAll(hunts.always);
            return size == 0 ? null : Arrays.copyOf(result, size);
        }

        /** Adds the clauses that a text meets to the `clauses` in `order`; how many these are then. */
        private int read(byte[] text, int column, int clauses) {
            int[] some = known[column].find(text);
            int count = some == null ? 0 : some.length;
            if (some == null) {
                found.begin();
                hunts.columns[column].find(text, found);
                some = found.clauses;
                count = found.count;
                known[column].keep(text, some, count);
            }
            for (int i = 0; i < count; i++) {
                int clause = some[i] >> 1;
                if (met[clause] >> 1 != event) {
                    met[clause] = 2 * event + (some[i] & 1);
                    if (clauses == order.length) {
                        order = Arrays.copyOf(order, 2 * clauses);
                    }
                    order[clauses++] = clause;
                } else {
                    met[clause] |= some[i] & 1;
                }
            }
            return clauses;
        }

        int clause(int number) {
            int last = met[number];
            return last >> 1 != event ? FALSE : (last & 1) == 0 ? MAYBE : TRUE;
        }

        private void decideAll(int[] some) {
            for (int i = 0; i < some.length; i++) {
                int hunt = some[i];
                int value = hunts.formulas[hunt].value(this);
                if (value == FALSE) {
                    continue;
                }
                boolean asked = value == MAYBE && hunts.isOpen[hunt];
                counted[1 + 2 * hunt + (asked ? 1 : 0)]++;
                if (size == result.length) {
                    result = Arrays.copyOf(result, 2 * size);
                }
                result[size++] = asked ? ~hunt : hunt;
            }
        }
    }

    /**
     * The clauses of texts of a column that were read lately, where a column often repeats its texts. Each text has one
     * place, which it shares with others.
     */
    private static final class KnownTexts {
        private static final int PLACES = 1 << 12;
        private static final int LONGEST = 512;
        /** So many texts are looked up before it is decided whether that pays. */
        private static final int TRIAL = 1 << 14;

        private byte[][] texts = new byte[PLACES][];
        private int[][] clauses = new int[PLACES][];
        private int place;
        private int lookups;
        private int hits;

        /** The clauses of a text; null if they are not known. */
        int[] find(byte[] text) {
            if (texts == null || text == null || text.length > LONGEST) {
                return null;
            }
            if (++lookups == TRIAL && 2 * hits < lookups) {
                texts = null;
                clauses = null;
                return null;
            }
            int hash = Murmur3_x86_32.hashUnsafeBytes(text, Platform.BYTE_ARRAY_OFFSET, text.length, 0);
            place = hash & PLACES - 1;
            if (texts[place] != null && Arrays.equals(texts[place], text)) {
                hits++;
                return clauses[place];
            }
            return null;
        }

        /** Keeps what `find` has just not known. */
        void keep(byte[] text, int[] some, int count) {
            if (texts != null && text != null && text.length <= LONGEST) {
                texts[place] = text;
                clauses[place] = Arrays.copyOf(some, count);
            }
        }
    }
}
