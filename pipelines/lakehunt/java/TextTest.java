import java.io.DataInputStream;
import java.io.IOException;
import java.util.Arrays;
import org.apache.spark.unsafe.types.UTF8String;

/**
 * A condition on one or two texts of an event (text_tests.py). Does not change.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas. Its members are public because classes that
 * Janino compiles one after the other have different class loaders.
 */
public final class TextTest {
    public static final int FALSE = 0;
    public static final int MAYBE = 1;
    public static final int TRUE = 2;

    private static final int MATCHES = 0;
    private static final int SAME = 1;
    private static final int SAME_IN_ANY_CASE = 2;

    private static final byte[] EMPTY = new byte[0];

    private final int kind;
    /** The columns of its texts; the same twice if it is about one. */
    public final int first;
    public final int second;

    private final int least;
    private final int most;
    private final RegexProgram program;

    /** Reads what matcher.py writes. */
    public TextTest(DataInputStream in) throws IOException {
        kind = in.readInt();
        first = in.readInt();
        second = in.readInt();
        least = in.readInt();
        most = in.readInt();
        byte[] written = new byte[in.readInt()];
        in.readFully(written);
        program = kind == MATCHES ? new RegexProgram(new String(written, "UTF-8")) : null;
    }

    /**
     * @param one the text of the first column as bytes of UTF-8, null if it is empty
     * @param two that of the second one
     * @return whether the condition holds; maybe, where that depends on how letters beyond ASCII are folded
     */
    public int value(byte[] one, byte[] two) {
        byte[] text = one == null ? EMPTY : one;
        if (kind == MATCHES) {
            return RegexMatcher.of(program).matches(text) ? TRUE : FALSE;
        }
        if (kind == SAME || kind == SAME_IN_ANY_CASE) {
            byte[] other = two == null ? EMPTY : two;
            return Arrays.equals(text, other) ? TRUE : kind == SAME ? FALSE : sameInAnyCase(text, other);
        }
        int length = UTF8String.fromBytes(text).numChars();
        return least <= length && length <= most ? TRUE : FALSE;
    }

    private static int sameInAnyCase(byte[] text, byte[] other) {
        int seen = 0;
        for (int i = 0; i < text.length; i++) {
            seen |= text[i];
        }
        for (int i = 0; i < other.length; i++) {
            seen |= other[i];
        }
        if (seen < 0) {
            return MAYBE;
        }
        if (text.length != other.length) {
            return FALSE;
        }
        for (int i = 0; i < text.length; i++) {
            if (small(text[i]) != small(other[i])) {
                return FALSE;
            }
        }
        return TRUE;
    }

    private static int small(int letter) {
        return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter;
    }
}
