import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.api.java.UDF2;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import scala.collection.Seq;

/**
 * Computes which hunts remain candidates for an event, given its texts (keywords.py describes the keywords and why).
 *
 * <p>All keywords of a column are found in one pass over its bytes by an Aho-Corasick automaton (1975): its state is the
 * longest prefix of a keyword that ends at this byte. ASCII letters match in both cases.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class KeywordMatcher implements UDF2, Serializable {
    private static final int BEFORE = 1;
    private static final int AFTER = 2;
    private static final int AT_START = 4;
    private static final int AT_END = 8;

    private String[][] texts;
    private int[][] edges;
    private int[][][] clausesOf;
    private int[][] clausesOfOthers;
    private int[][] clausesOfColumn;
    int[] predicateOf;
    int[] wanted;
    int[] groupOf;
    long[] bitOf;
    private long[] always;

    private transient Automaton[] automata;
    private transient ThreadLocal works;

    /**
     * @param columns for each text [keywords, numbers of the clauses that any non-ASCII text satisfies]; a keyword is
     *     [text, edges, numbers of the clauses that it satisfies]
     * @param predicates the number of the predicate that each clause belongs to
     * @param places for each predicate, [group, bit] of the hunt that remains once all its clauses are satisfied
     * @param groups the number of masks
     */
    public void configure(List columns, List predicates, List places, int groups) {
        int count = columns.size();
        texts = new String[count][];
        edges = new int[count][];
        clausesOf = new int[count][][];
        clausesOfOthers = new int[count][];
        clausesOfColumn = new int[count][];
        for (int column = 0; column < count; column++) {
            List described = (List) columns.get(column);
            read(column, (List) described.get(0), (List) described.get(1));
        }
        predicateOf = numbers(predicates);
        groupOf = new int[places.size()];
        bitOf = new long[places.size()];
        wanted = new int[places.size()];
        for (int clause = 0; clause < predicateOf.length; clause++) {
            wanted[predicateOf[clause]]++;
        }
        always = new long[groups];
        for (int predicate = 0; predicate < places.size(); predicate++) {
            int[] place = numbers((List) places.get(predicate));
            groupOf[predicate] = place[0];
            bitOf[predicate] = 1L << place[1];
            if (wanted[predicate] == 0) {
                always[place[0]] |= bitOf[predicate];
            }
        }
    }

    private void read(int column, List keywords, List others) {
        int count = keywords.size();
        texts[column] = new String[count];
        edges[column] = new int[count];
        clausesOf[column] = new int[count][];
        clausesOfOthers[column] = numbers(others);
        clausesOfColumn[column] = clausesOfOthers[column];
        for (int i = 0; i < count; i++) {
            List keyword = (List) keywords.get(i);
            texts[column][i] = (String) keyword.get(0);
            edges[column][i] = ((Number) keyword.get(1)).intValue();
            clausesOf[column][i] = numbers((List) keyword.get(2));
            clausesOfColumn[column] = joined(clausesOfColumn[column], clausesOf[column][i]);
        }
    }

    /** This matcher as a function of columns. Non-deterministic, so that Spark evaluates it once per row. */
    public UserDefinedFunction function() {
        return functions.udf((UDF2) this, DataTypes.createArrayType(DataTypes.LongType, false)).asNondeterministic();
    }

    /**
     * @param event the column's texts as bytes of UTF-8, null for an empty one
     * @param left for each group of hunts, a mask of the candidates so far
     * @return for each group, the remaining candidates; null if there are none
     */
    public Object call(Object event, Object left) {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) { // Spark itself looks only once per batch of rows
            throw new TaskKilledException("cancelled");
        }
        Seq before = (Seq) left;
        long any = 0;
        for (int group = 0; group < always.length; group++) {
            any |= ((Long) before.apply(group)).longValue();
        }
        if (any == 0) {
            return null;
        }
        Work work = work();
        work.begin();
        Seq bytes = (Seq) event;
        for (int column = 0; column < texts.length; column++) {
            byte[] text = (byte[]) bytes.apply(column);
            if (text != null && text.length > 0) {
                walk(column, text, work);
            }
        }
        long[] masks = null;
        for (int group = 0; group < always.length; group++) {
            long mask = (always[group] | work.masks[group]) & ((Long) before.apply(group)).longValue();
            if (mask != 0) {
                masks = masks == null ? new long[always.length] : masks;
                masks[group] = mask;
            }
        }
        return masks;
    }

    private void walk(int column, byte[] text, Work work) {
        Automaton automaton = automata[column];
        int[] next = automaton.next;
        int[] kinds = automaton.kinds;
        int state = 0;
        int seen = 0;
        for (int i = 0; i < text.length; i++) {
            int b = text[i];
            seen |= b;
            state = next[state + kinds[b & 255]];
            if (state < 0) {
                state = ~state;
                met(column, automaton.found[state / automaton.width], text, i + 1, work);
            }
        }
        if (seen < 0) {
            work.meet(hidesAscii(text) ? clausesOfColumn[column] : clausesOfOthers[column], this);
        }
    }

    private void met(int column, int[] found, byte[] text, int end, Work work) {
        for (int i = 0; i < found.length; i++) {
            int keyword = found[i];
            int edge = edges[column][keyword];
            if (edge == 0 || stands(edge, text, end - texts[column][keyword].length(), end)) {
                work.meet(clausesOf[column][keyword], this);
            }
        }
    }

    /** Whether a keyword's edges are at the required boundaries. Next to a non-ASCII character they count as such. */
    private static boolean stands(int edge, byte[] text, int start, int end) {
        return ((edge & AT_START) == 0 || start == 0)
            && ((edge & AT_END) == 0 || end == text.length)
            && ((edge & BEFORE) == 0 || start == 0 || !isTerm(text[start - 1]))
            && ((edge & AFTER) == 0 || end == text.length || !isTerm(text[end]));
    }

    private static boolean isTerm(byte b) {
        return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9';
    }

    /** Whether there is a character that is not ASCII, but whose small letter is: the signs of Kelvin, and dotted I. */
    private static boolean hidesAscii(byte[] text) {
        for (int i = 1; i < text.length; i++) {
            if (text[i] == (byte) 0xB0 && text[i - 1] == (byte) 0xC4) {
                return true;
            }
            if (text[i] == (byte) 0xAA && text[i - 1] == (byte) 0x84 && i > 1 && text[i - 2] == (byte) 0xE2) {
                return true;
            }
        }
        return false;
    }

    private Work work() {
        if (works == null) {
            prepare();
        }
        Work work = (Work) works.get();
        if (work == null) {
            work = new Work(predicateOf.length, wanted.length, always.length);
            works.set(work);
        }
        return work;
    }

    /** Each task gets its own copy of this object without the automata: they are large and quick to build. */
    private synchronized void prepare() {
        if (works == null) {
            automata = new Automaton[texts.length];
            for (int column = 0; column < texts.length; column++) {
                automata[column] = new Automaton(texts[column]);
            }
            works = new ThreadLocal();
        }
    }

    private static int[] numbers(List list) {
        int[] made = new int[list.size()];
        for (int i = 0; i < made.length; i++) {
            made[i] = ((Number) list.get(i)).intValue();
        }
        return made;
    }

    static int[] joined(int[] some, int[] more) {
        int[] all = Arrays.copyOf(some, some.length + more.length);
        System.arraycopy(more, 0, all, some.length, more.length);
        return all;
    }

    /** What one event satisfies. Entries are not cleared between events: each holds the number of the event that set it. */
    private static final class Work {
        final int[] clauses;
        final int[] predicates;
        final int[] met;
        final long[] masks;
        int event = 0;

        Work(int clauses, int predicates, int groups) {
            this.clauses = new int[clauses];
            this.predicates = new int[predicates];
            this.met = new int[predicates];
            this.masks = new long[groups];
        }

        void begin() {
            event++;
            if (event == Integer.MAX_VALUE) {
                Arrays.fill(clauses, 0);
                Arrays.fill(predicates, 0);
                event = 1;
            }
            Arrays.fill(masks, 0L);
        }

        void meet(int[] numbers, KeywordMatcher keywords) {
            for (int i = 0; i < numbers.length; i++) {
                int clause = numbers[i];
                if (clauses[clause] == event) {
                    continue;
                }
                clauses[clause] = event;
                int predicate = keywords.predicateOf[clause];
                if (predicates[predicate] != event) {
                    predicates[predicate] = event;
                    met[predicate] = 0;
                }
                met[predicate]++;
                if (met[predicate] == keywords.wanted[predicate]) {
                    masks[keywords.groupOf[predicate]] |= keywords.bitOf[predicate];
                }
            }
        }
    }

    /** States are rows of a table with a column per kind of byte; a state is the offset of its row in the table. */
    private static final class Automaton {
        final int[] kinds = new int[256];
        int width = 1;
        /** The state after a byte of a kind; ~state if keywords end there. */
        int[] next;
        /** The keywords that end in a state. */
        int[][] found;

        Automaton(String[] keywords) {
            sort(keywords);
            int most = 1;
            for (int i = 0; i < keywords.length; i++) {
                most += keywords[i].length();
            }
            next = new int[most * width];
            found = new int[most][];
            int states = 1;
            for (int keyword = 0; keyword < keywords.length; keyword++) {
                int state = 0;
                for (int i = 0; i < keywords[keyword].length(); i++) {
                    int at = state * width + kinds[keywords[keyword].charAt(i)];
                    if (next[at] == 0) {
                        next[at] = states;
                        states++;
                    }
                    state = next[at];
                }
                found[state] = joined(found[state] == null ? new int[0] : found[state], new int[] {keyword});
            }
            link(states);
        }

        /** Bytes that occur in no keyword share one kind. */
        private void sort(String[] keywords) {
            for (int keyword = 0; keyword < keywords.length; keyword++) {
                for (int i = 0; i < keywords[keyword].length(); i++) {
                    char c = keywords[keyword].charAt(i);
                    if (kinds[c] == 0) {
                        kinds[c] = width;
                        if (c >= 'a' && c <= 'z') {
                            kinds[c - 'a' + 'A'] = width;
                        }
                        width++;
                    }
                }
            }
        }

        /** Adds the failure links to the trie, breadth first: a missing transition is that of the longest proper suffix. */
        private void link(int states) {
            int[] shorter = new int[states];
            int[] queue = new int[states];
            int length = 0;
            for (int kind = 0; kind < width; kind++) {
                if (next[kind] != 0) {
                    queue[length++] = next[kind];
                }
            }
            for (int i = 0; i < length; i++) {
                int state = queue[i];
                int other = shorter[state];
                if (found[other] != null) {
                    found[state] = found[state] == null ? found[other] : joined(found[state], found[other]);
                }
                for (int kind = 0; kind < width; kind++) {
                    int at = state * width + kind;
                    if (next[at] == 0) {
                        next[at] = next[other * width + kind];
                    } else {
                        shorter[next[at]] = next[other * width + kind];
                        queue[length++] = next[at];
                    }
                }
            }
            for (int at = 0; at < states * width; at++) {
                next[at] = found[next[at]] == null ? next[at] * width : ~(next[at] * width);
            }
        }
    }
}
