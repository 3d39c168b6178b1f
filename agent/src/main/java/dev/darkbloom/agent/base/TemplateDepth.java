package dev.darkbloom.agent.base;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;

/**
 * Measures how deeply a Jinja template nests, without parsing it.
 *
 * <p>Upstream's parser ({@code common/jinja}) descends once for every bracket, block, {@code elif}, {@code not} and ternary, and walks
 * chains of operators and postfixes recursively when it runs or frees them. A template in a model file can so exhaust a native stack,
 * which ends the process. Two leaves need it, so it is here: {@code models} to refuse a file by name, {@code llama} as the last look
 * before native code. This scan follows the lexer's rules for tags, comments, strings and braces, so nothing hides from it.
 */
public final class TemplateDepth {
    /** The deepest that is let through; the deepest of the 68 templates that the pinned release carries has less than 40. */
    public static final int MAX = 200;

    private static final Set<String> OPENING = Set.of("if", "for", "macro", "call", "filter");
    private static final Set<String> OPERATORS = Set.of("not", "and", "or", "is", "in", "if", "else");

    private final String text;
    private int position;
    /** Operators seen so far on each open bracket level of the tag being read, the tag itself first. */
    private final Deque<Integer> levels = new ArrayDeque<>();
    private int operators;
    private int openOperators;
    /** What each open block adds: 1, and 1 for each of its {@code elif}. */
    private final Deque<Integer> blocks = new ArrayDeque<>();
    private int blockDepth;
    private int deepest;

    private TemplateDepth(String text) {
        this.text = text;
    }

    /** Returns the deepest nesting of blocks, brackets and operators together. */
    public static int of(String template) {
        var scan = new TemplateDepth(template);
        scan.scan();
        return scan.deepest;
    }

    private void scan() {
        while (position < text.length()) {
            int open = text.indexOf('{', position);
            if (open < 0 || open + 1 >= text.length()) {
                return;
            }
            position = open + 2;
            switch (text.charAt(open + 1)) {
                case '#' -> skipComment();
                case '%' -> scanTag(true);
                case '{' -> scanTag(false);
                default -> position = open + 1;
            }
        }
    }

    private void skipComment() {
        int close = text.indexOf("#}", position);
        position = close < 0 ? text.length() : close + 2;
    }

    private void scanTag(boolean statement) {
        levels.clear();
        operators = 0;
        openOperators = 0;
        int braces = 0;
        if (position < text.length() && text.charAt(position) == '-') {
            position++;
        }
        String keyword = null;
        boolean assigns = false;
        while (position < text.length()) {
            char c = text.charAt(position);
            if (c == '"' || c == '\'') {
                skipString(c);
            } else if (isWord(c)) {
                String word = readWord();
                if (statement && keyword == null) {
                    keyword = word;
                } else if (OPERATORS.contains(word)) {
                    operator();
                }
            } else if (c == '%' && next() == '}') {
                position += 2;
                break;
            } else if (c == '}' && next() == '}' && braces == 0) {
                position += 2;
                break;
            } else {
                position++;
                switch (c) {
                    case '(', '[' -> open();
                    case '{' -> {
                        braces++;
                        open();
                    }
                    case ')', ']' -> close();
                    case '}' -> {
                        braces--;
                        close();
                    }
                    case ',' -> operators = 0;
                    case '=' -> {
                        assigns |= levels.isEmpty() && !isComparison(position - 1);
                        operator();
                    }
                    case '.', '|', '+', '-', '~', '*', '/', '%', '<', '>', '!' -> operator();
                    default -> { }
                }
            }
        }
        if (keyword != null) {
            statement(keyword, assigns);
        }
    }

    private void statement(String keyword, boolean assigns) {
        if (OPENING.contains(keyword) || keyword.equals("set") && !assigns) {
            blocks.push(1);
            blockDepth++;
        } else if (keyword.equals("elif") && !blocks.isEmpty()) {
            blocks.push(blocks.pop() + 1);
            blockDepth++;
        } else if (keyword.startsWith("end") && !keyword.equals("endgeneration") && !blocks.isEmpty()) {
            blockDepth -= blocks.pop();
        }
        deepest = Math.max(deepest, blockDepth);
    }

    /** Returns whether the equals sign at {@code index} belongs to {@code ==}, {@code !=}, {@code <=} or {@code >=}. */
    private boolean isComparison(int index) {
        return "=!<>".indexOf(text.charAt(index - 1)) >= 0 || index + 1 < text.length() && text.charAt(index + 1) == '=';
    }

    private void open() {
        levels.push(operators);
        openOperators += operators;
        operators = 0;
        measure();
    }

    private void close() {
        if (!levels.isEmpty()) {
            operators = levels.pop();
            openOperators -= operators;
        }
        // A call or an index is one link of a chain, like an operator.
        operator();
    }

    private void operator() {
        operators++;
        measure();
    }

    private void measure() {
        deepest = Math.max(deepest, blockDepth + levels.size() + openOperators + operators);
    }

    private void skipString(char quote) {
        position++;
        while (position < text.length() && text.charAt(position) != quote) {
            position += text.charAt(position) == '\\' ? 2 : 1;
        }
        position++;
    }

    private String readWord() {
        int start = position;
        while (position < text.length() && isWord(text.charAt(position))) {
            position++;
        }
        return text.substring(start, position);
    }

    private static boolean isWord(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_';
    }

    private char next() {
        return position + 1 < text.length() ? text.charAt(position + 1) : 0;
    }
}
