/**
 * Characters of UTF-8, and the kinds of them that boundaries distinguish.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class RegexCharacters {
    public static final int LAST = 0x10FFFF;
    public static final int INVALID = 0xFFFD;

    /** What stands beside a place: an edge of the text, or a character of these kinds. */
    public static final int EDGE = 1;
    public static final int FEED = 2;
    public static final int RETURN = 4;
    public static final int WORD = 8;
    public static final int ASCII_WORD = 16;

    /** A character's code, shifted left by three bits, and its length. */
    public static int decode(byte[] text, int at) {
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

    public static int length(byte[] text, int at) {
        return text[at] >= 0 ? 1 : decode(text, at) & 7;
    }

    /** The code of the character that ends before a place. */
    public static int before(byte[] text, int at) {
        for (int start = at - 1; start >= 0 && start >= at - 4; start--) {
            if ((text[start] & 0xC0) != 0x80) {
                int found = decode(text, start);
                return (found & 7) == at - start ? found >> 3 : INVALID;
            }
        }
        return INVALID;
    }

    /** Whether an assertion of regexes.py holds between what stands before a place and what stands after it. */
    public static boolean holds(int look, int before, int after) {
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
