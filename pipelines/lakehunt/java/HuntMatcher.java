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
    private static final int FALSE = TextTest.FALSE;
    private static final int MAYBE = TextTest.MAYBE;
    private static final int TRUE = TextTest.TRUE;

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

    /** All hunts, and the search of each column. Does not change, except for `asked`. */
    private static final class Hunts {
        final byte[] written;
        final KeywordSearch[] columns;
        final int clauses;
        final TextTest[] tests;
        final Formula[] formulas;
        /** Whether a hunt has conditions that are unknown here, which Spark evaluates. */
        final boolean[] isOpen;
        /** For each hunt, clauses that an event must satisfy: it is enough to look at the hunt where one does. */
        final int[][] required;
        volatile Asked asked;

        Hunts(byte[] written) throws IOException {
            this.written = written;
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(written));
            columns = new KeywordSearch[in.readInt()];
            for (int column = 0; column < columns.length; column++) {
                columns[column] = new KeywordSearch(in);
            }
            clauses = in.readInt();
            tests = new TextTest[in.readInt()];
            for (int test = 0; test < tests.length; test++) {
                tests[test] = new TextTest(in);
            }
            formulas = new Formula[in.readInt()];
            isOpen = new boolean[formulas.length];
            required = new int[formulas.length][];
            for (int hunt = 0; hunt < formulas.length; hunt++) {
                isOpen[hunt] = in.readBoolean();
                required[hunt] = KeywordSearch.numbers(in);
                formulas[hunt] = Formula.read(in);
            }
            asked = new Asked(required, new int[clauses], false);
        }
    }

    /** Which hunts to look at where a clause is satisfied: each where the rarest of its required clauses is. */
    private static final class Asked {
        final int[][] where;
        /** The hunts to look at for every event. */
        int[] always = new int[0];
        /** Whether it is known which clauses are rare. Before, the first required clause is taken for the rarest. */
        final boolean isKnown;

        Asked(int[][] required, int[] counts, boolean isKnown) {
            this.isKnown = isKnown;
            where = new int[counts.length][];
            Arrays.fill(where, new int[0]);
            for (int hunt = 0; hunt < required.length; hunt++) {
                int[] own = {hunt};
                int rarest = -1;
                for (int i = 0; i < required[hunt].length; i++) {
                    int clause = required[hunt][i];
                    rarest = rarest < 0 || counts[clause] < counts[rarest] ? clause : rarest;
                }
                if (rarest < 0) {
                    always = KeywordSearch.joined(always, own);
                } else {
                    where[rarest] = KeywordSearch.joined(where[rarest], own);
                }
            }
        }
    }

    /** A condition in three-valued logic over clauses and tests. */
    private static final class Formula {
        private static final int CLAUSE = 0;
        private static final int NOT_CLAUSE = 1;
        private static final int TEST = 2;
        private static final int NOT_TEST = 3;
        private static final int ALL = 4;
        private static final int ANY = 5;

        private final int operator;
        private int operand;
        private Formula[] parts;

        private Formula(int operator) {
            this.operator = operator;
        }

        /** Reads steps in postfix order: an operator, and its clause, test, or the number of its parts. */
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
                    made.operand = operand;
                }
                stack[height++] = made;
            }
            return stack[0];
        }

        /** Queries nest some hundred conditions at most (kql/reader.py), so this may call itself. */
        int value(Work work) {
            switch (operator) {
                case CLAUSE:
                    return work.clause(operand);
                case NOT_CLAUSE:
                    return TRUE - work.clause(operand);
                case TEST:
                    return work.test(operand);
                case NOT_TEST:
                    return TRUE - work.test(operand);
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
        /** After so many events it is known which clauses are rare. */
        private static final int TRIAL = 1 << 12;

        private final Hunts hunts;
        private final CollectionAccumulator sums;
        private final long[] counted;
        private final KeywordSearch.Found found;
        private final KnownTexts[] known;
        /** For each clause the last event that met it; twice its number, plus 1 if it certainly did. */
        private final int[] met;
        /** For each test the last event that it was evaluated for; four times its number, plus the result. */
        private final int[] tested;
        /** For each clause, how many of the first events satisfied it, or may have. */
        private int[] counts;
        private Asked asked;
        private byte[][] texts;
        private int[] order = new int[64];
        private int event = 0;
        private int[] result = new int[16];
        private int size;

        Work(Hunts hunts, CollectionAccumulator counts) {
            this.hunts = hunts;
            sums = counts;
            counted = new long[1 + 2 * hunts.formulas.length];
            found = new KeywordSearch.Found(hunts.clauses);
            met = new int[hunts.clauses];
            tested = new int[hunts.tests.length];
            asked = hunts.asked;
            this.counts = asked.isKnown ? null : new int[hunts.clauses];
            texts = new byte[hunts.columns.length][];
            known = new KnownTexts[hunts.columns.length];
            for (int column = 0; column < known.length; column++) {
                known[column] = new KnownTexts();
            }
        }

        public void onTaskCompletion(TaskContext task) {
            sums.add(counted);
        }

        Object decide(Seq row) {
            counted[0]++;
            event++;
            if (event == 1 << 28) {
                Arrays.fill(met, 0);
                Arrays.fill(tested, 0);
                event = 1;
            }
            int clauses = 0;
            for (int column = 0; column < known.length; column++) {
                texts[column] = (byte[]) row.apply(column);
                clauses = read(texts[column], column, clauses);
            }
            size = 0;
            for (int i = 0; i < clauses; i++) {
                decideAll(asked.where[order[i]]);
            }
            decideAll(asked.always);
            if (counts != null) {
                learn(clauses);
            }
            return size == 0 ? null : Arrays.copyOf(result, size);
        }

        private void learn(int clauses) {
            for (int i = 0; i < clauses; i++) {
                counts[order[i]]++;
            }
            if (counted[0] == TRIAL) {
                asked = new Asked(hunts.required, counts, true);
                hunts.asked = asked;
                counts = null;
            }
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

        int test(int number) {
            if (tested[number] >> 2 != event) {
                tested[number] = 4 * event + hunts.tests[number].value(texts);
            }
            return tested[number] & 3;
        }

        private void decideAll(int[] some) {
            for (int i = 0; i < some.length; i++) {
                int hunt = some[i];
                int value = hunts.formulas[hunt].value(this);
                if (value == FALSE) {
                    continue;
                }
                boolean open = value == MAYBE && hunts.isOpen[hunt];
                counted[1 + 2 * hunt + (open ? 1 : 0)]++;
                if (size == result.length) {
                    result = Arrays.copyOf(result, 2 * size);
                }
                result[size++] = open ? ~hunt : hunt;
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
