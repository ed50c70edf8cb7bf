import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * What regexes.py compiled: instructions, and the sets that they read characters of.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class RegexProgram {
    public static final int MATCH = 0;
    public static final int CHAR = 1;
    public static final int SPLIT = 2;
    public static final int JUMP = 3;
    public static final int SAVE = 4;
    public static final int LOOK = 5;

    public final int length;
    public final int[] op;
    public final int[] x;
    public final int[] y;
    public final int slots;

    /** Characters are told apart by their class only. The last class is the end of the text. */
    public final int classes;
    public final int[] ascii = new int[128];
    public final boolean[][] members;
    public final int[] kinds;
    public final int kindsAsked;
    public final boolean atStartOnly;

    private final int[] starts;
    private final int[] classOf;

    /** The RegexMatcher of each thread. */
    public final ThreadLocal matchers = new ThreadLocal();

    public RegexProgram(String written) {
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
            sets[i - 1] = CharacterSets.read(lines[i]);
        }
        int kind = lines.length - 1;
        sets[kind] = new int[] {'\n', '\n'};
        sets[kind + 1] = new int[] {'\r', '\r'};
        sets[kind + 2] = (asked & RegexCharacters.WORD) == 0 ? new int[0] : CharacterSets.named("\\w");
        sets[kind + 3] = new int[] {'0', '9', 'A', 'Z', '_', '_', 'a', 'z'};
        for (int i = 0; i < 4; i++) {
            sets[kind + i] = (asked & RegexCharacters.FEED << i) == 0 ? new int[0] : sets[kind + i];
        }
        starts = bounds(sets);
        classOf = new int[starts.length];
        classes = classified(sets) + 1;
        members = new boolean[lines.length - 1][classes];
        kinds = new int[classes];
        kinds[classes - 1] = RegexCharacters.EDGE & asked;
        for (int i = 0; i < starts.length; i++) {
            for (int set = 0; set < sets.length; set++) {
                if (!CharacterSets.has(sets[set], starts[i])) {
                    continue;
                } else if (set < kind) {
                    members[set][classOf[i]] = true;
                } else {
                    kinds[classOf[i]] |= RegexCharacters.FEED << set - kind;
                }
            }
        }
        for (int i = 0; i < 128; i++) {
            ascii[i] = classOf[segment(i)];
        }
        atStartOnly = startsWithLook(0);
    }

    private static int asked(int look) {
        return look < 2 ? RegexCharacters.EDGE
            : look < 4 ? RegexCharacters.EDGE | RegexCharacters.FEED
            : look < 6 ? RegexCharacters.EDGE | RegexCharacters.FEED | RegexCharacters.RETURN
            : look < 12 ? RegexCharacters.WORD
            : RegexCharacters.ASCII_WORD;
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
            if (all[i] != all[kept - 1] && all[i] <= RegexCharacters.LAST) {
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
                Integer key = Integer.valueOf(CharacterSets.has(sets[set], starts[i]) ? classOf[i] + before : classOf[i]);
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

    public int classOf(int code) {
        return code < 128 ? ascii[code] : classOf[segment(code)];
    }

    /** The class of the character at a place, shifted left by three bits, and its length. */
    public int read(byte[] text, int at) {
        if (at >= text.length) {
            return classes - 1 << 3;
        }
        int b = text[at];
        if (b >= 0) {
            return ascii[b] << 3 | 1;
        }
        int found = RegexCharacters.decode(text, at);
        return classOf[segment(found >> 3)] << 3 | found & 7;
    }

    public int kindBefore(byte[] text, int at) {
        return kindsAsked == 0 ? 0 : at == 0 ? kinds[classes - 1] : kinds[classOf(RegexCharacters.before(text, at))];
    }

    public boolean holds(int look, byte[] text, int at) {
        return RegexCharacters.holds(look, kindBefore(text, at), kinds[read(text, at) >> 3]);
    }

    public static int[] numbers(String written) {
        String[] parts = written.split(" ");
        int[] made = new int[parts.length];
        for (int i = 0; i < parts.length; i++) {
            made[i] = Integer.parseInt(parts[i]);
        }
        return made;
    }
}
