import java.io.DataInputStream;
import java.io.IOException;
import java.util.Arrays;

/**
 * Finds which clauses a text of one column satisfies (keywords.py describes keywords and clauses).
 *
 * <p>Keywords inside of a text are found in one walk over its bytes by an Aho-Corasick automaton (1975): its state is the
 * longest prefix of a keyword that ends at this byte. Keywords that are a whole text are found by the hash of the text.
 * ASCII letters match in both cases; what must match in one case is compared again.
 *
 * <p>A clause is certainly satisfied, or it may be: where the answer depends on letters beyond ASCII, in how they are
 * folded, or in whether they belong to a term. A clause that is not found is certainly not satisfied.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas. Its members are public because classes that
 * Janino compiles one after the other have different class loaders.
 */
public final class KeywordSearch {
    private static final int BEFORE = 1;
    private static final int AFTER = 2;
    private static final int AT_START = 4;
    private static final int AT_END = 8;
    private static final int SAME_CASE = 16;
    private static final int WHOLE = AT_START | AT_END;

    /** The small letter of each ASCII letter; other bytes as they are. */
    private static final byte[] SMALL = small();

    private final byte[][] keywords;
    private final int[] edges;
    private final int[][] clausesOf;
    private int[] onEmptyText = new int[0];
    /** Clauses that a text beyond ASCII may satisfy: they have a keyword beyond ASCII. */
    private int[] onOtherText = new int[0];
    /** Clauses that a text may satisfy that has a letter beyond ASCII whose small letter is ASCII. */
    private int[] onHiddenAscii = new int[0];
    private final Automaton automaton;
    /** Places of whole texts by their hash: a keyword, plus 1. Keywords with the same hash follow each other. */
    private final int[] places;
    private final int[] hashes;

    /** Reads the keywords of a column: matcher.py writes them. */
    public KeywordSearch(DataInputStream in) throws IOException {
        int count = in.readInt();
        keywords = new byte[count][];
        edges = new int[count];
        clausesOf = new int[count][];
        hashes = new int[count];
        places = new int[Integer.highestOneBit(count + 1) * 4];
        boolean[] inside = new boolean[count];
        for (int i = 0; i < count; i++) {
            keywords[i] = new byte[in.readInt()];
            in.readFully(keywords[i]);
            edges[i] = in.readInt();
            clausesOf[i] = numbers(in);
            inside[i] = add(i);
        }
        onOtherText = distinct(onOtherText);
        onHiddenAscii = distinct(onHiddenAscii);
        automaton = new Automaton(keywords, inside);
    }

    /** The clauses that texts of this column may satisfy, each once. */
    public int[] clauses() {
        int count = 0;
        for (int i = 0; i < clausesOf.length; i++) {
            count += clausesOf[i].length;
        }
        int[] all = new int[count];
        for (int i = 0; i < clausesOf.length; i++) {
            count -= clausesOf[i].length;
            System.arraycopy(clausesOf[i], 0, all, count, clausesOf[i].length);
        }
        return distinct(all);
    }

    public static int[] numbers(DataInputStream in) throws IOException {
        int[] made = new int[in.readInt()];
        for (int i = 0; i < made.length; i++) {
            made[i] = in.readInt();
        }
        return made;
    }

    /** Whether the automaton looks for this keyword. */
    private boolean add(int keyword) {
        byte[] text = keywords[keyword];
        if (!isAscii(text)) {
            onOtherText = joined(onOtherText, clausesOf[keyword]);
            return false;
        }
        if (text.length == 0) {
            onEmptyText = joined(onEmptyText, clausesOf[keyword]);
            return false;
        }
        if ((edges[keyword] & SAME_CASE) == 0) {
            onHiddenAscii = joined(onHiddenAscii, clausesOf[keyword]);
        }
        if ((edges[keyword] & WHOLE) != WHOLE) {
            return true;
        }
        int hash = 0;
        for (int i = 0; i < text.length; i++) {
            hash = 31 * hash + SMALL[text[i]];
        }
        hashes[keyword] = hash;
        int place = spread(hash) & places.length - 1;
        while (places[place] != 0) {
            place = place + 1 & places.length - 1;
        }
        places[place] = keyword + 1;
        return false;
    }

    /** Adds to `found` what a text satisfies. Null is the empty text. */
    public void find(byte[] text, Found found) {
        if (text == null || text.length == 0) {
            found.add(onEmptyText, true);
            return;
        }
        int[] next = automaton.next;
        int[] kinds = automaton.kinds;
        byte[] small = SMALL;
        int state = 0;
        int seen = 0;
        int hash = 0;
        for (int i = 0; i < text.length; i++) {
            int b = text[i];
            seen |= b;
            hash = 31 * hash + small[b & 255];
            state = next[state + kinds[b & 255]];
            if (state < 0) {
                state = ~state;
                endsHere(automaton.found[state / automaton.width], text, i + 1, found);
            }
        }
        isWhole(text, hash, found);
        if (seen < 0) {
            found.add(onOtherText, false);
            if (onHiddenAscii.length > 0 && hidesAscii(text)) {
                found.add(onHiddenAscii, false);
            }
        }
    }

    private void endsHere(int[] ending, byte[] text, int end, Found found) {
        for (int i = 0; i < ending.length; i++) {
            int keyword = ending[i];
            int edge = edges[keyword];
            if (edge == 0) {
                found.add(clausesOf[keyword], true);
                continue;
            }
            int start = end - keywords[keyword].length;
            if (stands(edge, text, start, end) && ((edge & SAME_CASE) == 0 || isAt(keywords[keyword], text, start))) {
                boolean besideOther = (edge & BEFORE) != 0 && start > 0 && text[start - 1] < 0
                    || (edge & AFTER) != 0 && end < text.length && text[end] < 0;
                found.add(clausesOf[keyword], !besideOther);
            }
        }
    }

    /** Whether a keyword's edges are at the required boundaries. Next to a character beyond ASCII they may be. */
    private static boolean stands(int edge, byte[] text, int start, int end) {
        return ((edge & AT_START) == 0 || start == 0)
            && ((edge & AT_END) == 0 || end == text.length)
            && ((edge & BEFORE) == 0 || start == 0 || !isTerm(text[start - 1]))
            && ((edge & AFTER) == 0 || end == text.length || !isTerm(text[end]));
    }

    private static boolean isTerm(byte b) {
        return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9';
    }

    private static boolean isAt(byte[] keyword, byte[] text, int start) {
        for (int i = 0; i < keyword.length; i++) {
            if (keyword[i] != text[start + i]) {
                return false;
            }
        }
        return true;
    }

    private void isWhole(byte[] text, int hash, Found found) {
        int place = spread(hash) & places.length - 1;
        while (places[place] != 0) {
            int keyword = places[place] - 1;
            if (hashes[keyword] == hash && keywords[keyword].length == text.length && isSame(keyword, text)) {
                found.add(clausesOf[keyword], true);
            }
            place = place + 1 & places.length - 1;
        }
    }

    private boolean isSame(int keyword, byte[] text) {
        byte[] wanted = keywords[keyword];
        if ((edges[keyword] & SAME_CASE) != 0) {
            return Arrays.equals(wanted, text);
        }
        for (int i = 0; i < text.length; i++) {
            if (SMALL[wanted[i]] != SMALL[text[i] & 255]) {
                return false;
            }
        }
        return true;
    }

    private static int spread(int hash) {
        return hash ^ hash >>> 15;
    }

    private static boolean isAscii(byte[] text) {
        int seen = 0;
        for (int i = 0; i < text.length; i++) {
            seen |= text[i];
        }
        return seen >= 0;
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

    private static byte[] small() {
        byte[] made = new byte[256];
        for (int i = 0; i < 256; i++) {
            made[i] = (byte) (i >= 'A' && i <= 'Z' ? i - 'A' + 'a' : i);
        }
        return made;
    }

    public static int[] joined(int[] some, int[] more) {
        int[] all = Arrays.copyOf(some, some.length + more.length);
        System.arraycopy(more, 0, all, some.length, more.length);
        return all;
    }

    private static int[] distinct(int[] numbers) {
        int[] sorted = (int[]) numbers.clone();
        Arrays.sort(sorted);
        int kept = 0;
        for (int i = 0; i < sorted.length; i++) {
            if (i == 0 || sorted[i] != sorted[i - 1]) {
                sorted[kept++] = sorted[i];
            }
        }
        return Arrays.copyOf(sorted, kept);
    }

    /** The clauses that a text satisfies, each once: twice its number, plus 1 if it certainly does. */
    public static final class Found {
        public int[] clauses = new int[64];
        public int count;
        /** For each clause the number of the text it was last found in; twice that, plus 1 if it is certain. */
        private final int[] last;
        private final int[] positions;
        private int text = 0;

        public Found(int clauses) {
            last = new int[clauses];
            positions = new int[clauses];
        }

        /** Begins another text. */
        public void begin() {
            count = 0;
            text++;
            if (text == 1 << 30) {
                Arrays.fill(last, 0);
                text = 1;
            }
        }

        public void add(int[] numbers, boolean certain) {
            for (int i = 0; i < numbers.length; i++) {
                int clause = numbers[i];
                int before = last[clause];
                if (before >> 1 != text) {
                    if (count == clauses.length) {
                        clauses = Arrays.copyOf(clauses, 2 * count);
                    }
                    positions[clause] = count;
                    clauses[count++] = 2 * clause + (certain ? 1 : 0);
                    last[clause] = 2 * text + (certain ? 1 : 0);
                } else if (certain && (before & 1) == 0) {
                    clauses[positions[clause]] |= 1;
                    last[clause] |= 1;
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

        Automaton(byte[][] keywords, boolean[] chosen) {
            sort(keywords, chosen);
            int most = 1;
            for (int i = 0; i < keywords.length; i++) {
                most += chosen[i] ? keywords[i].length : 0;
            }
            next = new int[most * width];
            found = new int[most][];
            int states = 1;
            for (int keyword = 0; keyword < keywords.length; keyword++) {
                if (!chosen[keyword]) {
                    continue;
                }
                int state = 0;
                for (int i = 0; i < keywords[keyword].length; i++) {
                    int at = state * width + kinds[keywords[keyword][i]];
                    if (next[at] == 0) {
                        next[at] = states;
                        states++;
                    }
                    state = next[at];
                }
                found[state] = joined(found[state] == null ? new int[0] : found[state], new int[] {keyword});
            }
            next = Arrays.copyOf(next, states * width);
            found = (int[][]) Arrays.copyOf(found, states);
            link(states);
        }

        /** Bytes that occur in no keyword share one kind, and both cases of a letter do. */
        private void sort(byte[][] keywords, boolean[] chosen) {
            for (int keyword = 0; keyword < keywords.length; keyword++) {
                for (int i = 0; chosen[keyword] && i < keywords[keyword].length; i++) {
                    int c = SMALL[keywords[keyword][i]];
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
