package dev.darkbloom.agent.config;

import java.util.ArrayList;
import java.util.List;

/**
 * Where in a TOML text its keys stand. Jackson's parser gives values without places; this finds the line of a key for an error message,
 * and the value's bounds for an edit that leaves comments and order alone.
 *
 * <p>Reads texts that the parser has accepted; on others the places are unspecified, but it ends.
 */
final class TomlLayout {
    private final String text;
    private final List<Entry> entries = new ArrayList<>();
    private final List<Table> tables = new ArrayList<>();
    private int at;

    /**
     * A key with its value.
     *
     * @param path the words from the root
     * @param line from 1
     * @param keyStart offset of the key in the text
     * @param valueStart offset of the value's first character
     * @param valueEnd offset behind the value's last character
     * @param isInline whether it stands inside an inline table
     */
    record Entry(List<String> path, int line, int keyStart, int valueStart, int valueEnd, boolean isInline) {}

    /**
     * A table's header.
     *
     * @param line from 1
     * @param end offset behind its last key or, if it has none, behind the header
     */
    record Table(List<String> path, int line, int end) {}

    private TomlLayout(String text) {
        this.text = text;
    }

    static TomlLayout of(String text) {
        var layout = new TomlLayout(text);
        layout.scan();
        return layout;
    }

    List<Entry> entries() {
        return entries;
    }

    List<Table> tables() {
        return tables;
    }

    /** Returns the words of a dotted key: bare or quoted. */
    static List<String> parseKey(String dotted) {
        var layout = new TomlLayout(dotted);
        List<String> path = layout.key();
        if (layout.at < dotted.length() || path.contains("")) {
            throw new IllegalArgumentException("a key is words with dots between them, quoted where a word holds dots or slashes");
        }
        return path;
    }

    /** Returns a dotted key out of words. */
    static String join(List<String> path) {
        return String.join(".", path.stream().map(TomlLayout::word).toList());
    }

    private static String word(String word) {
        return word.matches("[A-Za-z0-9_-]+") ? word : quote(word);
    }

    /** Returns {@code text} as a TOML basic string. */
    static String quote(String text) {
        var quoted = new StringBuilder("\"");
        text.chars().forEach(c -> {
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\n' -> quoted.append("\\n");
                case '\t' -> quoted.append("\\t");
                default -> {
                    if (c < 0x20 || c == 0x7f) {
                        quoted.append(String.format("\\u%04x", c));
                    } else {
                        quoted.append((char) c);
                    }
                }
            }
        });
        return quoted.append('"').toString();
    }

    private void scan() {
        List<String> table = List.of();
        while (true) {
            skipBlank(true);
            if (at >= text.length()) {
                return;
            }
            int before = at;
            if (text.charAt(at) == '[') {
                table = header();
            } else {
                entry(table, false);
                if (!tables.isEmpty()) {
                    var open = tables.removeLast();
                    tables.add(new Table(open.path(), open.line(), at));
                }
            }
            if (at == before) {
                return;
            }
        }
    }

    private List<String> header() {
        int start = at;
        while (peek() == '[') {
            at++;
        }
        List<String> path = key();
        while (peek() == ']') {
            at++;
        }
        tables.add(new Table(path, line(start), at));
        return path;
    }

    private void entry(List<String> table, boolean inline) {
        int keyStart = at;
        var path = new ArrayList<>(table);
        path.addAll(key());
        if (peek() == '=') {
            at++;
        }
        skipBlank(false);
        int valueStart = at;
        int place = entries.size();
        value(path);
        entries.add(place, new Entry(List.copyOf(path), line(keyStart), keyStart, valueStart, at, inline));
    }

    private int line(int offset) {
        return 1 + (int) text.substring(0, offset).chars().filter(c -> c == '\n').count();
    }

    private List<String> key() {
        var path = new ArrayList<String>();
        while (true) {
            skipBlank(false);
            char c = peek();
            if (c == '"' || c == '\'') {
                path.add(unquoted());
            } else {
                int start = at;
                while (isBare(peek())) {
                    at++;
                }
                path.add(text.substring(start, at));
            }
            skipBlank(false);
            if (peek() != '.') {
                return path;
            }
            at++;
        }
    }

    private String unquoted() {
        int start = at;
        string();
        String quoted = text.substring(start, at);
        if (quoted.length() < 2) {
            return quoted;
        }
        String inner = quoted.substring(1, quoted.length() - 1);
        return quoted.charAt(0) == '\'' ? inner : inner.replace("\\\"", "\"").replace("\\\\", "\\");
    }

    private void value(List<String> path) {
        switch (peek()) {
            case '"', '\'' -> string();
            case '[' -> list();
            case '{' -> inlineTable(path);
            default -> {
                int start = at;
                while (at < text.length() && ",]}#\n\r".indexOf(peek()) < 0) {
                    at++;
                }
                while (at > start && (text.charAt(at - 1) == ' ' || text.charAt(at - 1) == '\t')) {
                    at--;
                }
            }
        }
    }

    private void list() {
        at++;
        while (true) {
            skipBlank(true);
            if (at >= text.length() || peek() == ']') {
                at = Math.min(at + 1, text.length());
                return;
            }
            int before = at;
            value(List.of());
            skipBlank(true);
            if (peek() == ',') {
                at++;
            }
            if (at == before) {
                return;
            }
        }
    }

    private void inlineTable(List<String> path) {
        at++;
        while (true) {
            skipBlank(true);
            if (at >= text.length() || peek() == '}') {
                at = Math.min(at + 1, text.length());
                return;
            }
            int before = at;
            entry(path, true);
            skipBlank(true);
            if (peek() == ',') {
                at++;
            }
            if (at == before) {
                return;
            }
        }
    }

    private void string() {
        char quote = peek();
        boolean multiline = text.startsWith(String.valueOf(quote).repeat(3), at);
        int fence = multiline ? 3 : 1;
        at += fence;
        while (at < text.length()) {
            char c = peek();
            if (c == '\\' && quote == '"') {
                at += 2;
            } else if (c == quote && (!multiline || text.startsWith(String.valueOf(quote).repeat(3), at))) {
                at += fence;
                // Up to two quotes may stand before the closing three.
                while (multiline && peek() == quote) {
                    at++;
                }
                break;
            } else {
                at++;
            }
        }
        at = Math.min(at, text.length());
    }

    private void skipBlank(boolean lines) {
        while (at < text.length()) {
            char c = peek();
            if (c == ' ' || c == '\t' || lines && (c == '\n' || c == '\r')) {
                at++;
            } else if (lines && c == '#') {
                while (at < text.length() && peek() != '\n') {
                    at++;
                }
            } else {
                return;
            }
        }
    }

    private char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }

    private static boolean isBare(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-';
    }
}
