import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/** CharacterSets of characters, as sorted pairs of a first and a last code. */
public final class CharacterSets {
    private static final int[] EVERY = {0, RegexCharacters.LAST};
    private static final Map NAMED = new ConcurrentHashMap();
    private static int[] cased;
    private static Map byFold;

    /** The set that regexes.py wrote in postfix notation. */
    public static int[] read(String written) {
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

    public static int[] or(int[] left, int[] right) {
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

    public static int[] not(int[] set) {
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
        if (next <= RegexCharacters.LAST) {
            made[count++] = next;
            made[count++] = RegexCharacters.LAST;
        }
        return Arrays.copyOf(made, count);
    }

    public static int[] and(int[] left, int[] right) {
        return not(or(not(left), not(right)));
    }

    public static boolean has(int[] set, int code) {
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
    public static int[] named(String name) {
        int[] known = (int[]) NAMED.get(name);
        if (known == null) {
            known = searched(name);
            NAMED.put(name, known);
        }
        return known;
    }

    private static int[] searched(String name) {
        StringBuilder every = new StringBuilder();
        for (int code = 0; code <= RegexCharacters.LAST; code++) {
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
        boolean[] known = new boolean[RegexCharacters.LAST + 1];
        for (int code = 0; code <= RegexCharacters.LAST; code++) {
            if (Character.toLowerCase(code) != code || Character.toUpperCase(code) != code) {
                known[code] = true;
                known[fold(code)] = true;  // the small sharp s is the only form that has no other one itself
            }
        }
        Map forms = new HashMap();
        int[] found = new int[RegexCharacters.LAST];
        int count = 0;
        for (int code = 0; code <= RegexCharacters.LAST; code++) {
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
