import java.io.ByteArrayOutputStream;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;

/**
 * Functions of Spark that match regular expressions. Their texts are bytes of UTF-8.
 *
 * <p>Written for Janino, which hardly supports generics, and no lambdas.
 */
public final class LinearRegex {
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

    static RegexProgram program(String written) {
        RegexProgram known = (RegexProgram) PROGRAMS.get(written);
        if (known == null) {
            known = new RegexProgram(written);
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
        private transient RegexProgram program;

        Function(String written) {
            this.written = written;
        }

        public Object call(Object text) {
            if (program == null) {
                program = LinearRegex.program(written);
            }
            return text == null ? null : of((byte[]) text, RegexMatcher.of(program));
        }

        abstract Object of(byte[] text, RegexMatcher matcher);
    }

    private static final class Matches extends Function {
        Matches(String program) {
            super(program);
        }

        Object of(byte[] text, RegexMatcher matcher) {
            return matcher.matches(text) ? Boolean.TRUE : Boolean.FALSE;
        }
    }

    private static final class Extract extends Function {
        private final int group;

        Extract(String program, int group) {
            super(program);
            this.group = group;
        }

        Object of(byte[] text, RegexMatcher matcher) {
            int[] found = matcher.find(text, 0);
            return found == null ? new byte[0] : group(text, found, group);
        }
    }

    private static final class Groups extends Function {
        Groups(String program) {
            super(program);
        }

        Object of(byte[] text, RegexMatcher matcher) {
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
            this.groups = RegexProgram.numbers(groups);
        }

        Object of(byte[] text, RegexMatcher matcher) {
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

        Object of(byte[] text, RegexMatcher matcher) {
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

        Object of(byte[] text, RegexMatcher matcher) {
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

        Object of(byte[] text, RegexMatcher matcher) {
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

    /** The matches of a text from left to right; none is empty and at the end of the one before. */
    private static final class AllMatches {
        private final byte[] text;
        private final RegexMatcher matcher;
        private int at = 0;
        private int end = -1;

        AllMatches(byte[] text, RegexMatcher matcher) {
            this.text = text;
            this.matcher = matcher;
        }

        int[] next() {
            RegexMatcher.endIfCancelled();
            int[] found = at > text.length ? null : matcher.find(text, at);
            if (found != null && found[1] == found[0] && found[1] == end) {
                at += at < text.length ? Math.max(RegexCharacters.length(text, at), 1) : 1;
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

    static byte[] group(byte[] text, int[] found, int group) {
        int start = found[2 * group];
        return start < 0 ? new byte[0] : Arrays.copyOfRange(text, start, found[2 * group + 1]);
    }
}
