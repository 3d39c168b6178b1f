package dev.darkbloom.agent.llama;

import java.util.ArrayDeque;
import java.util.Deque;

/**
 * How deep a Jinja template nests, judged from its text.
 *
 * <p>Upstream's parser and interpreter recurse: a 1 MiB stack ended at 20,000 nested parentheses. Brackets nest inside a tag, statements
 * inside statements, an {@code elif} inside its {@code if}; and the operators of one tag become a tree as deep as they are many. The bound
 * is on the sum, so it holds whatever a template mixes.
 */
final class TemplateDepth {
    /** The deepest that is let through. The deepest of the 68 templates that llama.cpp's release carries has 30. */
    static final int MAX = 200;

    private final String source;
    private final Deque<Integer> statements = new ArrayDeque<>(); // per open statement: 1, and 1 more for each elif
    private int depth; // sum of the above
    private int deepest;

    private TemplateDepth(String source) {
        this.source = source;
    }

    /** Returns an upper bound of the nesting of {@code source}; it stops counting beyond {@link #MAX}. */
    static int of(String source) {
        var scan = new TemplateDepth(source);
        scan.run();
        return scan.deepest;
    }

    private void run() {
        int at = 0;
        while (at < source.length() - 1 && deepest <= MAX) {
            if (source.charAt(at) != '{') {
                at++;
                continue;
            }
            at = switch (source.charAt(at + 1)) {
                case '#' -> behind(source.indexOf("#}", at + 2));
                case '{' -> tag(at + 2, '}');
                case '%' -> tag(at + 2, '%');
                default -> at + 1;
            };
        }
    }

    private int behind(int found) {
        return found < 0 ? source.length() : found + 2;
    }

    /** Reads one tag, whose end is {@code close} and a brace, and returns the place behind it. */
    private int tag(int from, char close) {
        int brackets = 0;
        int operators = 0;
        boolean first = close == '%';
        boolean blockSet = false; // {% set x %} … {% endset %}, which nests; {% set x = 1 %} does not
        int at = from;
        while (at < source.length() && deepest <= MAX) {
            char c = source.charAt(at);
            if (brackets <= 0 && c == close && at + 1 < source.length() && source.charAt(at + 1) == '}') {
                if (blockSet) {
                    open();
                }
                return at + 2;
            }
            if (c == '"' || c == '\'') {
                at = behindLiteral(at);
            } else if (Character.isLetter(c) || c == '_') {
                int begin = at;
                while (at < source.length() && (Character.isLetterOrDigit(source.charAt(at)) || source.charAt(at) == '_')) {
                    at++;
                }
                String word = source.substring(begin, at);
                if (first) {
                    blockSet = word.equals("set");
                    enter(word);
                    first = false;
                } else if (isOperator(word)) {
                    operators++;
                }
            } else {
                switch (c) {
                    case '(', '[', '{' -> {
                        brackets++;
                        operators++; // f(x)(y)(z) and x[1][2][3] are chains too
                    }
                    case ')', ']', '}' -> brackets--;
                    case '=' -> {
                        blockSet = false;
                        operators++;
                    }
                    case '+', '-', '*', '/', '%', '~', '|', '.', '<', '>' -> operators++;
                    default -> { }
                }
                at++;
            }
            deepest = Math.max(deepest, depth + operators);
        }
        return source.length();
    }

    private static boolean isOperator(String word) {
        return switch (word) {
            case "not", "and", "or", "in", "is", "if", "else" -> true;
            default -> false;
        };
    }

    private void enter(String word) {
        switch (word) {
            case "if", "for", "macro", "call", "filter" -> open();
            case "elif" -> {
                if (!statements.isEmpty()) {
                    statements.push(statements.pop() + 1);
                    depth++;
                }
            }
            case "endif", "endfor", "endmacro", "endcall", "endfilter", "endset" -> {
                if (!statements.isEmpty()) {
                    depth -= statements.pop();
                }
            }
            default -> { }
        }
        deepest = Math.max(deepest, depth);
    }

    private void open() {
        statements.push(1);
        depth++;
        deepest = Math.max(deepest, depth);
    }

    private int behindLiteral(int from) {
        char quote = source.charAt(from);
        int at = from + 1;
        while (at < source.length() && source.charAt(at) != quote) {
            at += source.charAt(at) == '\\' ? 2 : 1;
        }
        return at + 1;
    }
}
