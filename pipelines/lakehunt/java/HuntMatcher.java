import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.Serializable;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.api.python.PythonUtils;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.expressions.objects.Invoke;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.classic.ExpressionUtils;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.ObjectType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.util.CollectionAccumulator;
import org.apache.spark.util.TaskCompletionListener;

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

    /**
     * The value of `call` for an array of texts. Spark's generated code calls it with Spark's own values: as a UDF, it
     * would get a copy of every text of every event. Non-deterministic, so that Spark evaluates it once per row.
     */
    public Column column(Column texts) {
        Expression self = new Literal(this, new ObjectType(UDF1.class)); // generated code cannot name this class
        Expression called = new Invoke(
            self,
            "call",
            DataTypes.createArrayType(DataTypes.IntegerType, false),
            PythonUtils.toSeq(Arrays.asList(new Object[] {ExpressionUtils.expression(texts)})),
            PythonUtils.toSeq(Arrays.asList(new Object[0])),
            false,
            true,
            false
        );
        return ExpressionUtils.column(called);
    }

    /**
     * @param event the texts of the columns as `ArrayData`, null for an empty one
     * @return as `ArrayData` the numbers of the hunts that it is a hit of; of one that it may be a hit of, the complement;
     *     null if there are none
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
        return work.decide((ArrayData) event);
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
        /** For each clause, the columns whose keywords satisfy it. */
        final int[][] columnsOf;
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
            columnsOf = new int[in.readInt()][];
            Arrays.fill(columnsOf, new int[0]);
            for (int column = 0; column < columns.length; column++) {
                int[] own = columns[column].clauses();
                for (int i = 0; i < own.length; i++) {
                    columnsOf[own[i]] = KeywordSearch.joined(columnsOf[own[i]], new int[] {column});
                }
            }
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
            boolean[] all = new boolean[columns.length];
            Arrays.fill(all, true);
            asked = new Asked(this, new int[columnsOf.length], all, false);
        }

        /** Whether all columns of a clause are among these. */
        boolean isOf(int clause, boolean[] some) {
            for (int i = 0; i < columnsOf[clause].length; i++) {
                if (!some[columnsOf[clause][i]]) {
                    return false;
                }
            }
            return true;
        }
    }

    /**
     * Which hunts to look at where a clause is satisfied: each where the rarest of its required clauses is. Where one of
     * them is about columns that repeat their texts, such as names of files, which are known at once, the others are left
     * out: if all hunts that ask for a command line also ask for a name, few command lines are searched.
     */
    private static final class Asked {
        final int[][] where;
        /** The hunts to look at for every event. */
        int[] always = new int[0];
        /** The columns that are searched for every event; others where a hunt asks. */
        final boolean[] isSearched;
        /** Whether it is known which clauses are rare. Before, the first required clause is taken for the rarest. */
        final boolean isKnown;

        Asked(Hunts hunts, int[] counts, boolean[] repeating, boolean isKnown) {
            this.isKnown = isKnown;
            isSearched = (boolean[]) repeating.clone();
            int[][] required = hunts.required;
            for (int hunt = 0; hunt < required.length; hunt++) {
                int chosen = rarest(hunts, required[hunt], counts, repeating);
                chosen = chosen < 0 ? rarest(hunts, required[hunt], counts, null) : chosen;
                for (int i = 0; chosen >= 0 && i < hunts.columnsOf[chosen].length; i++) {
                    isSearched[hunts.columnsOf[chosen][i]] = true;
                }
            }
            where = new int[counts.length][];
            Arrays.fill(where, new int[0]);
            for (int hunt = 0; hunt < required.length; hunt++) {
                int[] own = {hunt};
                int rarest = rarest(hunts, required[hunt], counts, isSearched);
                if (rarest < 0) {
                    always = KeywordSearch.joined(always, own);
                } else {
                    where[rarest] = KeywordSearch.joined(where[rarest], own);
                }
            }
        }

        /** The rarest of these clauses about these columns (null: any); -1 if there is none. */
        private static int rarest(Hunts hunts, int[] clauses, int[] counts, boolean[] columns) {
            int rarest = -1;
            for (int i = 0; i < clauses.length; i++) {
                int clause = clauses[i];
                if (columns == null || hunts.isOf(clause, columns)) {
                    rarest = rarest < 0 || counts[clause] < counts[rarest] ? clause : rarest;
                }
            }
            return rarest;
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
        private ArrayData row;
        private final byte[][] texts;
        /** For each column the last event whose text was read, and that whose text was searched. */
        private final int[] read;
        private final int[] searched;
        /** For each clause the last event that met it; twice its number, plus 1 if it certainly did. */
        private final int[] met;
        /** For each test the last event that it was evaluated for; four times its number, plus the result. */
        private final int[] tested;
        /** For each clause, how many of the first events satisfied it, or may have. */
        private int[] counts;
        private Asked asked;
        private int[] order = new int[64];
        private int event = 0;
        private int[] result = new int[16];
        private int size;

        Work(Hunts hunts, CollectionAccumulator counts) {
            this.hunts = hunts;
            sums = counts;
            counted = new long[1 + 2 * hunts.formulas.length];
            found = new KeywordSearch.Found(hunts.columnsOf.length);
            met = new int[hunts.columnsOf.length];
            tested = new int[hunts.tests.length];
            asked = hunts.asked;
            this.counts = asked.isKnown ? null : new int[hunts.columnsOf.length];
            texts = new byte[hunts.columns.length][];
            read = new int[texts.length];
            searched = new int[texts.length];
            known = new KnownTexts[hunts.columns.length];
            for (int column = 0; column < known.length; column++) {
                known[column] = new KnownTexts();
            }
        }

        public void onTaskCompletion(TaskContext task) {
            sums.add(counted);
        }

        Object decide(ArrayData row) {
            this.row = row;
            counted[0]++;
            event++;
            if (event == 1 << 28) {
                Arrays.fill(read, 0);
                Arrays.fill(searched, 0);
                Arrays.fill(met, 0);
                Arrays.fill(tested, 0);
                event = 1;
            }
            int clauses = 0;
            for (int column = 0; column < known.length; column++) {
                if (asked.isSearched[column]) {
                    clauses = search(column, clauses);
                }
            }
            size = 0;
            for (int i = 0; i < clauses; i++) {
                decideAll(asked.where[order[i]]);
            }
            decideAll(asked.always);
            if (counts != null) {
                learn(clauses);
            }
            return size == 0 ? null : UnsafeArrayData.fromPrimitiveArray(Arrays.copyOf(result, size));
        }

        private void learn(int clauses) {
            for (int i = 0; i < clauses; i++) {
                counts[order[i]]++;
            }
            if (counted[0] == TRIAL) {
                boolean[] repeating = new boolean[known.length];
                for (int column = 0; column < repeating.length; column++) {
                    repeating[column] = known[column].pays();
                }
                asked = new Asked(hunts, counts, repeating, true);
                hunts.asked = asked;
                counts = null;
            }
        }

        /** The text of a column as bytes of UTF-8, null for an empty one. */
        private byte[] text(int column) {
            if (read[column] != event) {
                read[column] = event;
                texts[column] = row.isNullAt(column) ? null : row.getUTF8String(column).getBytes();
            }
            return texts[column];
        }

        /**
         * Finds the clauses that a column's text meets, and adds them to the `clauses` in `order`, or to none if that is
         * -1; how many are in order then.
         */
        private int search(int column, int clauses) {
            byte[] text = text(column);
            searched[column] = event;
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
                    if (clauses >= 0) {
                        order[clauses++] = clause;
                    }
                } else {
                    met[clause] |= some[i] & 1;
                }
            }
            return clauses;
        }

        int clause(int number) {
            int[] columns = hunts.columnsOf[number];
            for (int i = 0; i < columns.length; i++) {
                if (searched[columns[i]] != event) {
                    search(columns[i], -1);
                }
            }
            int last = met[number];
            return last >> 1 != event ? FALSE : (last & 1) == 0 ? MAYBE : TRUE;
        }

        int test(int number) {
            if (tested[number] >> 2 != event) {
                TextTest test = hunts.tests[number];
                tested[number] = 4 * event + test.value(text(test.first), text(test.second));
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
        private static final long MIX = 0x9E3779B97F4A7C15L;

        private byte[][] texts = new byte[PLACES][];
        private int[][] clauses = new int[PLACES][];
        private int place;
        private int lookups;
        private int tooLong;
        private int hits;

        /** The clauses of a text; null if they are not known. */
        int[] find(byte[] text) {
            if (texts == null || text == null) {
                return null;
            }
            if (text.length > LONGEST) {
                tooLong++;
                return null;
            }
            if (++lookups == TRIAL && !pays()) {
                texts = null;
                clauses = null;
                return null;
            }
            place = place(text);
            // Texts of a file's dictionary come as the same array.
            if (texts[place] == text || texts[place] != null && Arrays.equals(texts[place], text)) {
                hits++;
                return clauses[place];
            }
            return null;
        }

        /** Of three words of the text and its length: names and paths differ in these, and it takes as long for all. */
        private static int place(byte[] text) {
            int length = text.length;
            long hash = length;
            if (length < 8) {
                for (int i = 0; i < length; i++) {
                    hash = hash << 8 ^ text[i];
                }
            } else {
                hash = hash * MIX ^ Platform.getLong(text, Platform.BYTE_ARRAY_OFFSET);
                hash = hash * MIX ^ Platform.getLong(text, Platform.BYTE_ARRAY_OFFSET + (length - 8) / 2);
                hash = hash * MIX ^ Platform.getLong(text, Platform.BYTE_ARRAY_OFFSET + length - 8);
            }
            return (int) (hash * MIX >>> 40) & PLACES - 1;
        }

        /** Whether most texts were known. */
        boolean pays() {
            return 2 * hits >= lookups + tooLong;
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
