import java.io.ByteArrayOutputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * Matches the programs that regexes.py compiles regular expressions to, in time linear in the text and without recursion.
 *
 * <p>A search runs a deterministic automaton that is built while it runs: a state is the ordered list of instructions
 * that may read the next character. Where its memory is full it starts anew, so that a text costs at most its length
 * times the length of the program. The automaton says whether there is a match, and where the first one ends. Groups are
 * then found by a backtracker that never visits a place twice or, in long texts, by Pike's machine.
 *
 * <p>Texts are bytes of UTF-8; an invalid byte counts as U+FFFD. Written for Janino, which hardly supports generics, and
 * no lambdas.
 */
public final class LinearRegex {
    static final int MATCH = 0;
    static final int CHAR = 1;
    static final int SPLIT = 2;
    static final int JUMP = 3;
    static final int SAVE = 4;
    static final int LOOK = 5;

    private static final int MOST_PROGRAMS = 2000;
    private static final Map PROGRAMS = new ConcurrentHashMap();

    public UserDefinedFunction matches(String name, String program) {
        return made(name, new Matches(program), DataTypes.BooleanType);
    }

    /** The bytes of one group of the first match; empty where there is none. */
    public UserDefinedFunction extract(String name, String program, int group) {
        return made(name, new Extract(program, group), DataTypes.BinaryType);
    }

    /** The bytes of the groups of the first match, empty for those that take no part; null where there is no match. */
    public UserDefinedFunction groups(String name, String program) {
        return made(name, new Groups(program), DataTypes.createArrayType(DataTypes.BinaryType));
    }

    /** For each match the bytes of the groups of these numbers, which are separated by spaces. */
    public UserDefinedFunction all(String name, String program, String groups) {
        DataType match = DataTypes.createArrayType(DataTypes.BinaryType);
        return made(name, new All(program, groups), DataTypes.createArrayType(match));
    }

    public UserDefinedFunction count(String name, String program) {
        return made(name, new Count(program), DataTypes.LongType);
    }

    /** All matches replaced. In the rewrite a backslash and a digit is a group, and two backslashes are one. */
    public UserDefinedFunction replace(String name, String program, String rewrite) {
        return made(name, new Replace(program, rewrite), DataTypes.BinaryType);
    }

    /** Where the n-th match begins and ends, in characters; null where there is none. */
    public UserDefinedFunction span(String name, String program, int occurrence) {
        return made(name, new Span(program, occurrence), DataTypes.createArrayType(DataTypes.LongType));
    }

    private static UserDefinedFunction made(String name, UDF1 function, DataType returns) {
        return functions.udf(function, returns).withName(name);
    }

    static Program program(String written) {
        Program known = (Program) PROGRAMS.get(written);
        if (known == null) {
            known = new Program(written);
            if (PROGRAMS.size() >= MOST_PROGRAMS) {
                PROGRAMS.clear();
            }
            PROGRAMS.put(written, known);
        }
        return known;
    }

    /** A function of a text. Tasks deserialize it without the program, which they share. */
    private abstract static class Function implements UDF1, Serializable {
        private final String written;
        private transient Program program;

        Function(String written) {
            this.written = written;
        }

        public Object call(Object text) {
            if (program == null) {
                program = LinearRegex.program(written);
            }
            return text == null ? null : of((byte[]) text, program.matcher());
        }

        abstract Object of(byte[] text, Matcher matcher);
    }

    private static final class Matches extends Function {
        Matches(String program) {
            super(program);
        }

        Object of(byte[] text, Matcher matcher) {
            return matcher.matches(text) ? Boolean.TRUE : Boolean.FALSE;
        }
    }

    private static final class Extract extends Function {
        private final int group;

        Extract(String program, int group) {
            super(program);
            this.group = group;
        }

        Object of(byte[] text, Matcher matcher) {
            int[] found = matcher.find(text, 0);
            return found == null ? new byte[0] : group(text, found, group);
        }
    }

    private static final class Groups extends Function {
        Groups(String program) {
            super(program);
        }

        Object of(byte[] text, Matcher matcher) {
            int[] found = matcher.find(text, 0);
            if (found == null) {
                return null;
            }
            byte[][] made = new byte[found.length / 2 - 1][];
            for (int i = 0; i < made.length; i++) {
                made[i] = group(text, found, i + 1);
            }
            return made;
        }
    }

    private static final class All extends Function {
        private final int[] groups;

        All(String program, String groups) {
            super(program);
            this.groups = numbers(groups);
        }

        Object of(byte[] text, Matcher matcher) {
            List made = new ArrayList();
            AllMatches matches = new AllMatches(text, matcher);
            for (int[] found = matches.next(); found != null; found = matches.next()) {
                byte[][] row = new byte[groups.length][];
                for (int i = 0; i < groups.length; i++) {
                    row[i] = group(text, found, groups[i]);
                }
                made.add(row);
            }
            return made.toArray();
        }
    }

    private static final class Count extends Function {
        Count(String program) {
            super(program);
        }

        Object of(byte[] text, Matcher matcher) {
            long count = 0;
            AllMatches matches = new AllMatches(text, matcher);
            while (matches.next() != null) {
                count++;
            }
            return Long.valueOf(count);
        }
    }

    private static final class Replace extends Function {
        private final byte[] rewrite;

        Replace(String program, String rewrite) {
            super(program);
            this.rewrite = rewrite.getBytes(java.nio.charset.StandardCharsets.UTF_8);
        }

        Object of(byte[] text, Matcher matcher) {
            AllMatches matches = new AllMatches(text, matcher);
            int[] found = matches.next();
            if (found == null) {
                return text;
            }
            ByteArrayOutputStream made = new ByteArrayOutputStream(text.length);
            int copied = 0;
            for (; found != null; found = matches.next()) {
                made.write(text, copied, found[0] - copied);
                write(made, text, found);
                copied = found[1];
            }
            made.write(text, copied, text.length - copied);
            return made.toByteArray();
        }

        private void write(ByteArrayOutputStream made, byte[] text, int[] found) {
            for (int i = 0; i < rewrite.length; i++) {
                if (rewrite[i] != '\\') {
                    made.write(rewrite[i]);
                } else if (rewrite[++i] == '\\') {
                    made.write('\\');
                } else {
                    byte[] group = group(text, found, rewrite[i] - '0');
                    made.write(group, 0, group.length);
                }
            }
        }
    }

    private static final class Span extends Function {
        private final int occurrence;

        Span(String program, int occurrence) {
            super(program);
            this.occurrence = occurrence;
        }

        Object of(byte[] text, Matcher matcher) {
            AllMatches matches = new AllMatches(text, matcher);
            int[] found = matches.next();
            for (int i = 1; i < occurrence && found != null; i++) {
                found = matches.next();
            }
            return found == null ? null : new long[] {characters(text, found[0]), characters(text, found[1])};
        }

        private static long characters(byte[] text, int end) {
            long count = 0;
            for (int i = 0; i < end; i++) {
                count += (text[i] & 0xC0) == 0x80 ? 0 : 1;
            }
            return count;
        }
    }

    static byte[] group(byte[] text, int[] found, int group) {
        int start = found[2 * group];
        return start < 0 ? new byte[0] : Arrays.copyOfRange(text, start, found[2 * group + 1]);
    }

    static int[] numbers(String written) {
        String[] parts = written.split(" ");
        int[] made = new int[parts.length];
        for (int i = 0; i < parts.length; i++) {
            made[i] = Integer.parseInt(parts[i]);
        }
        return made;
    }

    /** A text can take long: each match, and each state of the automaton, is a place to end a cancelled task. */
    static void endIfCancelled() {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) {
            throw new TaskKilledException("cancelled");
        }
    }

    /** The matches of a text from left to right; none is empty and at the end of the one before. */
    private static final class AllMatches {
        private final byte[] text;
        private final Matcher matcher;
        private int at = 0;
        private int end = -1;

        AllMatches(byte[] text, Matcher matcher) {
            this.text = text;
            this.matcher = matcher;
        }

        int[] next() {
            endIfCancelled();
            int[] found = at > text.length ? null : matcher.find(text, at);
            if (found != null && found[1] == found[0] && found[1] == end) {
                at += at < text.length ? Math.max(Characters.length(text, at), 1) : 1;
                found = at > text.length ? null : matcher.find(text, at);
            }
            if (found == null) {
                at = text.length + 1;
                return null;
            }
            at = found[1];
            end = found[1];
            return found;
        }
    }

    /** Characters of UTF-8, and the kinds of them that boundaries distinguish. */
    static final class Characters {
        static final int LAST = 0x10FFFF;
        static final int INVALID = 0xFFFD;

        /** What stands beside a place: an edge of the text, or a character of these kinds. */
        static final int EDGE = 1;
        static final int FEED = 2;
        static final int RETURN = 4;
        static final int WORD = 8;
        static final int ASCII_WORD = 16;

        /** A character's code, shifted left by three bits, and its length. */
        static int decode(byte[] text, int at) {
            int first = text[at];
            if (first >= 0) {
                return first << 3 | 1;
            }
            int length = first >= -62 && first < -32 ? 2 : first >= -32 && first < -16 ? 3 : first < -16 ? 0 : 4;
            if (length == 0 || at + length > text.length || first > -12) {
                return INVALID << 3 | 1;
            }
            int code = first & (0x7F >> length);
            for (int i = at + 1; i < at + length; i++) {
                if ((text[i] & 0xC0) != 0x80) {
                    return INVALID << 3 | 1;
                }
                code = code << 6 | text[i] & 0x3F;
            }
            boolean shortest = length == 2 || (length == 3 ? code >= 0x800 : code >= 0x10000 && code <= LAST);
            return shortest ? code << 3 | length : INVALID << 3 | 1;
        }

        static int length(byte[] text, int at) {
            return text[at] >= 0 ? 1 : decode(text, at) & 7;
        }

        /** The code of the character that ends before a place. */
        static int before(byte[] text, int at) {
            for (int start = at - 1; start >= 0 && start >= at - 4; start--) {
                if ((text[start] & 0xC0) != 0x80) {
                    int found = decode(text, start);
                    return (found & 7) == at - start ? found >> 3 : INVALID;
                }
            }
            return INVALID;
        }

        /** Whether an assertion of regexes.py holds between what stands before a place and what stands after it. */
        static boolean holds(int look, int before, int after) {
            boolean word = (before & WORD) != 0;
            boolean wordAfter = (after & WORD) != 0;
            boolean ascii = (before & ASCII_WORD) != 0;
            boolean asciiAfter = (after & ASCII_WORD) != 0;
            switch (look) {
                case 0: return (before & EDGE) != 0;
                case 1: return (after & EDGE) != 0;
                case 2: return (before & (EDGE | FEED)) != 0;
                case 3: return (after & (EDGE | FEED)) != 0;
                case 4: return (before & (EDGE | FEED)) != 0 || (before & RETURN) != 0 && (after & FEED) == 0;
                case 5: return (after & (EDGE | RETURN)) != 0 || (after & FEED) != 0 && (before & RETURN) == 0;
                case 6: return word != wordAfter;
                case 7: return word == wordAfter;
                case 8: return !word && wordAfter;
                case 9: return word && !wordAfter;
                case 10: return !word;
                case 11: return !wordAfter;
                case 12: return ascii != asciiAfter;
                case 13: return ascii == asciiAfter;
                case 14: return !ascii && asciiAfter;
                case 15: return ascii && !asciiAfter;
                case 16: return !ascii;
                case 17: return !asciiAfter;
                default: throw new IllegalStateException("unknown assertion " + look);
            }
        }
    }

    /** Sets of characters, as sorted pairs of a first and a last code. */
    private static final class Sets {
        private static final int[] EVERY = {0, Characters.LAST};
        private static final Map NAMED = new ConcurrentHashMap();
        private static int[] cased;
        private static Map byFold;

        /** The set that regexes.py wrote in postfix notation. */
        static int[] read(String written) {
            List stack = new ArrayList();
            String[] parts = written.split(" ");
            for (int i = 0; i < parts.length; i++) {
                String part = parts[i];
                if (part.equals("!") || part.equals("i") || part.equals("a")) {
                    int[] of = (int[]) stack.remove(stack.size() - 1);
                    stack.add(part.equals("!") ? not(of) : folded(of, part.equals("a")));
                } else if (part.length() == 1) {
                    int[] right = (int[]) stack.remove(stack.size() - 1);
                    int[] left = (int[]) stack.remove(stack.size() - 1);
                    stack.add(joined(part.charAt(0), left, right));
                } else {
                    stack.add(part.charAt(0) == '\\' ? named(part) : range(part));
                }
            }
            return (int[]) stack.get(0);
        }

        private static int[] range(String written) {
            int hyphen = written.indexOf('-');
            if (hyphen < 0) {
                return new int[0];
            }
            int low = Integer.parseInt(written.substring(0, hyphen), 16);
            return new int[] {low, Integer.parseInt(written.substring(hyphen + 1), 16)};
        }

        private static int[] joined(char sign, int[] left, int[] right) {
            switch (sign) {
                case '|': return or(left, right);
                case '&': return and(left, right);
                case '-': return and(left, not(right));
                case '~': return or(and(left, not(right)), and(right, not(left)));
                default: throw new IllegalStateException("unknown operator " + sign);
            }
        }

        static int[] or(int[] left, int[] right) {
            int[] made = new int[left.length + right.length];
            int count = 0;
            int l = 0;
            int r = 0;
            while (l < left.length || r < right.length) {
                boolean fromLeft = r >= right.length || l < left.length && left[l] <= right[r];
                int low = fromLeft ? left[l] : right[r];
                int high = fromLeft ? left[l + 1] : right[r + 1];
                l += fromLeft ? 2 : 0;
                r += fromLeft ? 0 : 2;
                if (count > 0 && low <= made[count - 1] + 1) {
                    made[count - 1] = Math.max(made[count - 1], high);
                } else {
                    made[count++] = low;
                    made[count++] = high;
                }
            }
            return Arrays.copyOf(made, count);
        }

        static int[] not(int[] set) {
            int[] made = new int[set.length + 2];
            int count = 0;
            int next = 0;
            for (int i = 0; i < set.length; i += 2) {
                if (set[i] > next) {
                    made[count++] = next;
                    made[count++] = set[i] - 1;
                }
                next = set[i + 1] + 1;
            }
            if (next <= Characters.LAST) {
                made[count++] = next;
                made[count++] = Characters.LAST;
            }
            return Arrays.copyOf(made, count);
        }

        static int[] and(int[] left, int[] right) {
            return not(or(not(left), not(right)));
        }

        static boolean has(int[] set, int code) {
            int low = 0;
            int high = set.length / 2 - 1;
            while (low <= high) {
                int middle = (low + high) >>> 1;
                if (code < set[2 * middle]) {
                    high = middle - 1;
                } else if (code > set[2 * middle + 1]) {
                    low = middle + 1;
                } else {
                    return true;
                }
            }
            return false;
        }

        /** A class by its name in Java. */
        static int[] named(String name) {
            int[] known = (int[]) NAMED.get(name);
            if (known == null) {
                known = searched(name);
                NAMED.put(name, known);
            }
            return known;
        }

        private static int[] searched(String name) {
            StringBuilder every = new StringBuilder();
            for (int code = 0; code <= Characters.LAST; code++) {
                if (code < 0xD800 || code > 0xDFFF) {
                    every.appendCodePoint(code);
                }
            }
            java.util.regex.Matcher found = Pattern.compile("(?U)" + name + "++").matcher(every);
            int[] made = new int[0];
            while (found.find()) {
                made = Arrays.copyOf(made, made.length + 2);
                made[made.length - 2] = every.codePointAt(found.start());
                made[made.length - 1] = every.codePointBefore(found.end());
            }
            return made;
        }

        /** The set with the other cases of its letters, by Unicode's simple folding or only of those of ASCII. */
        private static int[] folded(int[] set, boolean ascii) {
            prepareFolds();
            int[] made = set;
            for (int i = 0; i < cased.length; i++) {
                if (has(set, cased[i]) && !(ascii && cased[i] > 127)) {
                    List forms = (List) byFold.get(Integer.valueOf(fold(cased[i])));
                    for (int j = 0; j < forms.size(); j++) {
                        int form = ((Integer) forms.get(j)).intValue();
                        made = ascii && form > 127 ? made : or(made, new int[] {form, form});
                    }
                }
            }
            return made;
        }

        /** The dotted and the dotless i of Turkish have no simple folding. */
        private static int fold(int code) {
            return code == 0x130 || code == 0x131 ? code : Character.toLowerCase(Character.toUpperCase(code));
        }

        private static synchronized void prepareFolds() {
            if (cased != null) {
                return;
            }
            boolean[] known = new boolean[Characters.LAST + 1];
            for (int code = 0; code <= Characters.LAST; code++) {
                if (Character.toLowerCase(code) != code || Character.toUpperCase(code) != code) {
                    known[code] = true;
                    known[fold(code)] = true;  // the small sharp s is the only form that has no other one itself
                }
            }
            Map forms = new HashMap();
            int[] found = new int[Characters.LAST];
            int count = 0;
            for (int code = 0; code <= Characters.LAST; code++) {
                if (known[code]) {
                    found[count++] = code;
                    Integer fold = Integer.valueOf(fold(code));
                    if (!forms.containsKey(fold)) {
                        forms.put(fold, new ArrayList());
                    }
                    ((List) forms.get(fold)).add(Integer.valueOf(code));
                }
            }
            byFold = forms;
            cased = Arrays.copyOf(found, count);
        }
    }

    /** What regexes.py compiled: instructions, and the sets that they read characters of. */
    private static final class Program {
        final int length;
        final int[] op;
        final int[] x;
        final int[] y;
        final int slots;

        /** Characters are told apart by their class only. The last class is the end of the text. */
        final int classes;
        final int[] ascii = new int[128];
        final boolean[][] members;
        final int[] kinds;
        final int kindsAsked;
        final boolean atStartOnly;

        private final int[] starts;
        private final int[] classOf;
        private final ThreadLocal matchers = new ThreadLocal();

        Program(String written) {
            String[] lines = written.split("\n");
            int[] code = numbers(lines[0]);
            length = code.length / 3;
            op = new int[length];
            x = new int[length];
            y = new int[length];
            int asked = 0;
            for (int i = 0; i < length; i++) {
                op[i] = code[3 * i];
                x[i] = code[3 * i + 1];
                y[i] = code[3 * i + 2];
                asked |= op[i] == LOOK ? asked(x[i]) : 0;
            }
            slots = 2 * x[length - 1] + 2;
            kindsAsked = asked;
            int[][] sets = new int[lines.length - 1 + 4][];
            for (int i = 1; i < lines.length; i++) {
                sets[i - 1] = Sets.read(lines[i]);
            }
            int kind = lines.length - 1;
            sets[kind] = new int[] {'\n', '\n'};
            sets[kind + 1] = new int[] {'\r', '\r'};
            sets[kind + 2] = (asked & Characters.WORD) == 0 ? new int[0] : Sets.named("\\w");
            sets[kind + 3] = new int[] {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'};
            for (int i = 0; i < 4; i++) {
                sets[kind + i] = (asked & Characters.FEED << i) == 0 ? new int[0] : sets[kind + i];
            }
            starts = bounds(sets);
            classOf = new int[starts.length];
            classes = classified(sets) + 1;
            members = new boolean[lines.length - 1][classes];
            kinds = new int[classes];
            kinds[classes - 1] = Characters.EDGE & asked;
            for (int i = 0; i < starts.length; i++) {
                for (int set = 0; set < sets.length; set++) {
                    if (!Sets.has(sets[set], starts[i])) {
                        continue;
                    } else if (set < kind) {
                        members[set][classOf[i]] = true;
                    } else {
                        kinds[classOf[i]] |= Characters.FEED << set - kind;
                    }
                }
            }
            for (int i = 0; i < 128; i++) {
                ascii[i] = classOf[segment(i)];
            }
            atStartOnly = startsWithLook(0);
        }

        private static int asked(int look) {
            return look < 2 ? Characters.EDGE
                : look < 4 ? Characters.EDGE | Characters.FEED
                : look < 6 ? Characters.EDGE | Characters.FEED | Characters.RETURN
                : look < 12 ? Characters.WORD
                : Characters.ASCII_WORD;
        }

        private boolean startsWithLook(int pc) {
            int at = pc;
            while (op[at] == SAVE) {
                at++;
            }
            return op[at] == LOOK && x[at] == 0;
        }

        /** The first code of each run of characters that no set divides. */
        private static int[] bounds(int[][] sets) {
            int count = 1;
            for (int i = 0; i < sets.length; i++) {
                count += sets[i].length;
            }
            int[] all = new int[count];
            count = 1;
            for (int i = 0; i < sets.length; i++) {
                for (int j = 0; j < sets[i].length; j++) {
                    all[count++] = sets[i][j] + (j & 1);
                }
            }
            Arrays.sort(all);
            int kept = 1;
            for (int i = 1; i < count; i++) {
                if (all[i] != all[kept - 1] && all[i] <= Characters.LAST) {
                    all[kept++] = all[i];
                }
            }
            return Arrays.copyOf(all, kept);
        }

        /** Gives the runs that are in the same sets one class. Returns the number of classes. */
        private int classified(int[][] sets) {
            int count = 1;
            for (int set = 0; set < sets.length; set++) {
                Map divided = new HashMap();
                int before = count;
                count = 0;
                for (int i = 0; i < starts.length; i++) {
                    Integer key = Integer.valueOf(Sets.has(sets[set], starts[i]) ? classOf[i] + before : classOf[i]);
                    Integer known = (Integer) divided.get(key);
                    if (known == null) {
                        known = Integer.valueOf(count++);
                        divided.put(key, known);
                    }
                    classOf[i] = known.intValue();
                }
            }
            return count;
        }

        private int segment(int code) {
            int found = Arrays.binarySearch(starts, code);
            return found >= 0 ? found : -found - 2;
        }

        int classOf(int code) {
            return code < 128 ? ascii[code] : classOf[segment(code)];
        }

        /** The class of the character at a place, shifted left by three bits, and its length. */
        int read(byte[] text, int at) {
            if (at >= text.length) {
                return classes - 1 << 3;
            }
            int b = text[at];
            if (b >= 0) {
                return ascii[b] << 3 | 1;
            }
            int found = Characters.decode(text, at);
            return classOf[segment(found >> 3)] << 3 | found & 7;
        }

        int kindBefore(byte[] text, int at) {
            return kindsAsked == 0 ? 0 : at == 0 ? kinds[classes - 1] : kinds[classOf(Characters.before(text, at))];
        }

        boolean holds(int look, byte[] text, int at) {
            return Characters.holds(look, kindBefore(text, at), kinds[read(text, at) >> 3]);
        }

        Matcher matcher() {
            Matcher known = (Matcher) matchers.get();
            if (known == null) {
                known = new Matcher(this);
                matchers.set(known);
            }
            return known;
        }
    }

    /** A state of the automaton: the instructions that its next character may be read by, the most wanted first. */
    private static final class State {
        final int[] waiting;
        final int before;
        final boolean searching;

        /** @param searching whether a match may still begin */
        State(int[] waiting, int before, boolean searching) {
            this.waiting = waiting;
            this.before = before;
            this.searching = searching;
        }

        public int hashCode() {
            return (Arrays.hashCode(waiting) * 31 + before) * 2 + (searching ? 1 : 0);
        }

        public boolean equals(Object other) {
            State that = (State) other;
            return before == that.before && searching == that.searching && Arrays.equals(waiting, that.waiting);
        }
    }

    /** Searches texts for a program. Belongs to one thread. */
    private static final class Matcher {
        /** Integers that an automaton may have in its table, and in its states. */
        private static final int MOST_TRANSITIONS = 1 << 17;
        /** Bits of the backtracker's memory. */
        private static final int MOST_PLACES = 1 << 18;

        private final Program program;

        /** For each state and class: the next state, times `classes`; 0 where it is not known yet; else the complement of
         * twice the next state and, where a match ends before the character, 1. State 0 has nothing left to match. */
        private int[] next;
        private State[] states;
        private Map numbers;
        private int held;
        private final int[] begins = new int[32];
        private int restarts;

        private final Places closed;
        private int[] stack = new int[64];
        private int[] slots;
        private long[] visited = new long[16];

        Matcher(Program program) {
            this.program = program;
            closed = new Places(program.length);
            forget();
        }

        private void forget() {
            next = new int[16 * program.classes];
            states = new State[16];
            numbers = new HashMap();
            held = 0;
            restarts++;
            Arrays.fill(begins, 0);
            number(new State(new int[0], 0, false));
        }

        boolean matches(byte[] text) {
            return end(text, 0, true) >= 0;
        }

        /** The slots of the leftmost match from a place: where it and its groups begin and end; null if there is none. */
        int[] find(byte[] text, int at) {
            int end = end(text, at, false);
            if (end < 0) {
                return null;
            }
            slots = new int[program.slots];
            if ((long) (end - at + 1) * program.length <= MOST_PLACES) {
                backtrack(text, at, end);
            } else {
                new Pike(program, text).run(at, end, slots);
            }
            return slots;
        }

        /** Where the leftmost match from a place ends, or any match; -1 if there is none. */
        private int end(byte[] text, int from, boolean any) {
            if (program.atStartOnly && from > 0) {
                return -1;
            }
            int[] classes = program.ascii;
            int[] table = next;
            int state = begin(program.kindBefore(text, from));
            table = next;
            int found = -1;
            int i = from;
            int length = text.length;
            while (true) {
                int to = 0;
                while (i < length) {
                    int b = text[i];
                    if (b < 0) {
                        break;
                    }
                    to = table[state + classes[b]];
                    if (to <= 0) {
                        break;
                    }
                    state = to;
                    i++;
                }
                int read = program.read(text, i);
                to = table[state + (read >> 3)];
                if (to == 0) {
                    to = step(state, read >> 3);
                    table = next;
                }
                if (to < 0) {
                    if ((~to & 1) != 0) {
                        found = i;
                        if (any) {
                            return i;
                        }
                    }
                    to = ~to >> 1;
                }
                if (to == 0 || i >= length) {
                    return found;
                }
                state = to;
                i += read & 7;
            }
        }

        private int begin(int before) {
            if (begins[before] == 0) {
                begins[before] = number(new State(new int[0], before, true));
            }
            return begins[before];
        }

        /** The number of a state, times `classes`. */
        private int number(State state) {
            Integer known = (Integer) numbers.get(state);
            if (known != null) {
                return known.intValue();
            }
            int count = numbers.size();
            held += program.classes + state.waiting.length;
            if (held > MOST_TRANSITIONS && count > 4) {
                forget();
                return number(state);
            }
            if (count == states.length) {
                states = (State[]) Arrays.copyOf(states, 2 * count);
                next = Arrays.copyOf(next, 2 * next.length);
            }
            states[count] = state;
            numbers.put(state, Integer.valueOf(count * program.classes));
            return count * program.classes;
        }

        /** Computes a transition of the automaton. */
        private int step(int number, int read) {
            endIfCancelled();
            State from = states[number / program.classes];
            int after = program.kinds[read];
            closed.clear();
            boolean matched = false;
            for (int i = 0; i < from.waiting.length && !matched; i++) {
                matched = close(from.waiting[i], from.before, after);
            }
            matched = matched || from.searching && close(0, from.before, after);
            int count = 0;
            int[] waiting = new int[closed.count];
            for (int i = 0; i < closed.count; i++) {
                int pc = closed.list[i];
                if (program.op[pc] == CHAR && program.members[program.x[pc]][read]) {
                    waiting[count++] = pc + 1;
                }
            }
            boolean searching = from.searching && !matched && !program.atStartOnly;
            int to = 0;
            int known = restarts;
            if (read < program.classes - 1 && (count > 0 || searching)) {
                to = number(new State(Arrays.copyOf(waiting, count), after, searching));
            }
            int made = matched || to == 0 ? ~(2 * to + (matched ? 1 : 0)) : to;
            if (known == restarts) {
                next[number + read] = made;
            }
            return made;
        }

        /** Adds what can be reached without reading a character; whether the end of the program can. */
        private boolean close(int start, int before, int after) {
            int top = 0;
            stack = grown(stack, 1);
            stack[top++] = start;
            while (top > 0) {
                int pc = stack[--top];
                while (pc >= 0 && closed.add(pc)) {
                    switch (program.op[pc]) {
                        case MATCH:
                            return true;
                        case SPLIT:
                            stack = grown(stack, top + 1);
                            stack[top++] = pc + program.y[pc];
                            pc += program.x[pc];
                            break;
                        case JUMP:
                            pc += program.x[pc];
                            break;
                        case SAVE:
                            pc++;
                            break;
                        case LOOK:
                            pc = Characters.holds(program.x[pc], before, after) ? pc + 1 : -1;
                            break;
                        default:
                            pc = -1;
                    }
                }
            }
            return false;
        }

        /** Finds the groups of the match that ends at a place, by trying what is most wanted first, every place once. */
        private void backtrack(byte[] text, int from, int end) {
            int words = ((end - from + 1) * program.length + 63) / 64;
            if (visited.length < words) {
                visited = new long[2 * words];
            }
            Arrays.fill(visited, 0, words, 0L);
            for (int start = from; start <= end; start += start < end ? Characters.length(text, start) : 1) {
                Arrays.fill(slots, -1);
                if (run(text, start, from, end)) {
                    slots[0] = start;
                    return;
                }
            }
            throw new IllegalStateException("the automaton and the backtracker differ");
        }

        private boolean run(byte[] text, int start, int from, int end) {
            int width = end - from + 1;
            int top = 0;
            stack = grown(stack, 2);
            stack[top++] = 0;
            stack[top++] = start;
            while (top > 0) {
                int at = stack[--top];
                int pc = stack[--top];
                if (pc < 0) {
                    slots[~pc] = at;
                    continue;
                }
                while (pc >= 0) {
                    int place = pc * width + at - from;
                    if ((visited[place >> 6] & 1L << place) != 0) {
                        break;
                    }
                    visited[place >> 6] |= 1L << place;
                    switch (program.op[pc]) {
                        case MATCH:
                            slots[1] = at;
                            return true;
                        case CHAR:
                            int read = at < end ? program.read(text, at) : -1;
                            boolean fits = read >= 0 && program.members[program.x[pc]][read >> 3];
                            at += read & 7;
                            pc = fits ? pc + 1 : -1;
                            break;
                        case SPLIT:
                            stack = grown(stack, top + 2);
                            stack[top++] = pc + program.y[pc];
                            stack[top++] = at;
                            pc += program.x[pc];
                            break;
                        case JUMP:
                            pc += program.x[pc];
                            break;
                        case SAVE:
                            stack = grown(stack, top + 2);
                            stack[top++] = ~program.x[pc];
                            stack[top++] = slots[program.x[pc]];
                            slots[program.x[pc]] = at;
                            pc++;
                            break;
                        default:
                            pc = program.holds(program.x[pc], text, at) ? pc + 1 : -1;
                    }
                }
            }
            return false;
        }
    }

    static int[] grown(int[] array, int wanted) {
        return wanted < array.length ? array : Arrays.copyOf(array, 2 * wanted);
    }

    /** A set of small numbers that knows the order in which they came. */
    private static final class Places {
        final int[] list;
        private final int[] marks;
        private int mark = 0;
        int count = 0;

        Places(int size) {
            list = new int[size];
            marks = new int[size];
        }

        void clear() {
            count = 0;
            mark++;
            if (mark == Integer.MAX_VALUE) {
                Arrays.fill(marks, 0);
                mark = 1;
            }
        }

        boolean add(int number) {
            if (marks[number] == mark) {
                return false;
            }
            marks[number] = mark;
            list[count++] = number;
            return true;
        }
    }

    /** Pike's machine: all ways of matching at once, character by character, each with its slots. */
    private static final class Pike {
        private final Program program;
        private final byte[] text;
        private Places now;
        private Places then;
        private int[][] slotsNow;
        private int[][] slotsThen;
        private int[] stack = new int[64];

        Pike(Program program, byte[] text) {
            this.program = program;
            this.text = text;
            now = new Places(program.length);
            then = new Places(program.length);
            slotsNow = new int[program.length][];
            slotsThen = new int[program.length][];
        }

        /** Fills the slots of the leftmost match from a place; it ends at `end`. */
        void run(int from, int end, int[] slots) {
            boolean matched = false;
            then.clear();
            for (int at = from; at <= end; ) {
                Places places = now;
                int[][] kept = slotsNow;
                now = then;
                slotsNow = slotsThen;
                then = places;
                slotsThen = kept;
                then.clear();
                if (!matched) {
                    int[] fresh = new int[slots.length];
                    Arrays.fill(fresh, -1);
                    fresh[0] = at;
                    add(now, slotsNow, 0, at, fresh);
                }
                int read = program.read(text, at);
                for (int i = 0; i < now.count; i++) {
                    int pc = now.list[i];
                    if (program.op[pc] == MATCH) {
                        System.arraycopy(slotsNow[pc], 0, slots, 0, slots.length);
                        slots[1] = at;
                        matched = true;
                        break;
                    }
                    if (program.op[pc] == CHAR && at < end && program.members[program.x[pc]][read >> 3]) {
                        add(then, slotsThen, pc + 1, at + (read & 7), slotsNow[pc]);
                    }
                }
                at += Math.max(read & 7, 1);
            }
        }

        private void add(Places to, int[][] kept, int start, int at, int[] given) {
            int[] slots = given;
            int top = 0;
            stack[top++] = start;
            stack[top++] = 0;
            while (top > 0) {
                int old = stack[--top];
                int pc = stack[--top];
                if (pc < 0) {
                    slots = (int[]) slots.clone();
                    slots[~pc] = old;
                    continue;
                }
                while (pc >= 0 && to.add(pc)) {
                    kept[pc] = slots;
                    switch (program.op[pc]) {
                        case SPLIT:
                            stack = grown(stack, top + 2);
                            stack[top++] = pc + program.y[pc];
                            stack[top++] = 0;
                            pc += program.x[pc];
                            break;
                        case JUMP:
                            pc += program.x[pc];
                            break;
                        case SAVE:
                            stack = grown(stack, top + 2);
                            stack[top++] = ~program.x[pc];
                            stack[top++] = slots[program.x[pc]];
                            slots = (int[]) slots.clone();
                            slots[program.x[pc]] = at;
                            pc++;
                            break;
                        case LOOK:
                            pc = program.holds(program.x[pc], text, at) ? pc + 1 : -1;
                            break;
                        default:
                            pc = -1;
                    }
                }
            }
        }
    }
}
