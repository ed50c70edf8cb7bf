import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;

/**
 * Searches texts for a program, in time linear in the text and without recursion. Belongs to one thread.
 *
 * <p>A search runs a deterministic automaton that is built while it runs: a state is the ordered list of instructions
 * that may read the next character. Where its memory is full it starts anew, so that a text costs at most its length
 * times the length of the program. The automaton says whether there is a match, and where the first one ends. Groups are
 * then found by a backtracker that never visits a place twice or, in long texts, by Pike's machine.
 *
 * <p>Texts are bytes of UTF-8; an invalid byte counts as U+FFFD. Written for Janino, which hardly supports generics, and
 * no lambdas.
 */
public final class RegexMatcher {
    /** Integers that an automaton may have in its table, and in its states. */
    private static final int MOST_TRANSITIONS = 1 << 17;
    /** Bits of the backtracker's memory. */
    private static final int MOST_PLACES = 1 << 18;

    private final RegexProgram program;

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

    /** This thread's matcher of a program. */
    public static RegexMatcher of(RegexProgram program) {
        RegexMatcher known = (RegexMatcher) program.matchers.get();
        if (known == null) {
            known = new RegexMatcher(program);
            program.matchers.set(known);
        }
        return known;
    }

    public RegexMatcher(RegexProgram program) {
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

    public boolean matches(byte[] text) {
        return end(text, 0, true) >= 0;
    }

    /** The slots of the leftmost match from a place: where it and its groups begin and end; null if there is none. */
    public int[] find(byte[] text, int at) {
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
            if (program.op[pc] == RegexProgram.CHAR && program.members[program.x[pc]][read]) {
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
                    case RegexProgram.MATCH:
                        return true;
                    case RegexProgram.SPLIT:
                        stack = grown(stack, top + 1);
                        stack[top++] = pc + program.y[pc];
                        pc += program.x[pc];
                        break;
                    case RegexProgram.JUMP:
                        pc += program.x[pc];
                        break;
                    case RegexProgram.SAVE:
                        pc++;
                        break;
                    case RegexProgram.LOOK:
                        pc = RegexCharacters.holds(program.x[pc], before, after) ? pc + 1 : -1;
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
        for (int start = from; start <= end; start += start < end ? RegexCharacters.length(text, start) : 1) {
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
                    case RegexProgram.MATCH:
                        slots[1] = at;
                        return true;
                    case RegexProgram.CHAR:
                        int read = at < end ? program.read(text, at) : -1;
                        boolean fits = read >= 0 && program.members[program.x[pc]][read >> 3];
                        at += read & 7;
                        pc = fits ? pc + 1 : -1;
                        break;
                    case RegexProgram.SPLIT:
                        stack = grown(stack, top + 2);
                        stack[top++] = pc + program.y[pc];
                        stack[top++] = at;
                        pc += program.x[pc];
                        break;
                    case RegexProgram.JUMP:
                        pc += program.x[pc];
                        break;
                    case RegexProgram.SAVE:
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

    /** A text can take long: each match, and each state of the automaton, is a place to end a cancelled task. */
    static void endIfCancelled() {
        TaskContext task = TaskContext.get();
        if (task != null && task.isInterrupted()) {
            throw new TaskKilledException("cancelled");
        }
    }

    static int[] grown(int[] array, int wanted) {
        return wanted < array.length ? array : Arrays.copyOf(array, 2 * wanted);
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
        private final RegexProgram program;
        private final byte[] text;
        private Places now;
        private Places then;
        private int[][] slotsNow;
        private int[][] slotsThen;
        private int[] stack = new int[64];

        Pike(RegexProgram program, byte[] text) {
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
            int steps = 0;
            for (int at = from; at <= end; ) {
                if ((++steps & 0xFFF) == 0) {
                    endIfCancelled();
                }
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
                    if (program.op[pc] == RegexProgram.MATCH) {
                        System.arraycopy(slotsNow[pc], 0, slots, 0, slots.length);
                        slots[1] = at;
                        matched = true;
                        break;
                    }
                    if (program.op[pc] == RegexProgram.CHAR && at < end && program.members[program.x[pc]][read >> 3]) {
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
                        case RegexProgram.SPLIT:
                            stack = grown(stack, top + 2);
                            stack[top++] = pc + program.y[pc];
                            stack[top++] = 0;
                            pc += program.x[pc];
                            break;
                        case RegexProgram.JUMP:
                            pc += program.x[pc];
                            break;
                        case RegexProgram.SAVE:
                            stack = grown(stack, top + 2);
                            stack[top++] = ~program.x[pc];
                            stack[top++] = slots[program.x[pc]];
                            slots = (int[]) slots.clone();
                            slots[program.x[pc]] = at;
                            pc++;
                            break;
                        case RegexProgram.LOOK:
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
