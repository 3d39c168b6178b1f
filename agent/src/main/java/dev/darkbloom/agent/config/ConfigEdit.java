package dev.darkbloom.agent.config;

import java.util.List;

/** Changes one key in a TOML text and nothing else. Whoever calls it reads the result back before believing it. */
final class ConfigEdit {
    private ConfigEdit() {}

    /** Returns {@code text} with the value at {@code path} replaced, or added to its table, or added with a table at the end. */
    static String set(String text, List<String> path, String toml) {
        var layout = TomlLayout.of(text);
        for (var entry : layout.entries()) {
            if (entry.path().equals(path)) {
                return text.substring(0, entry.valueStart()) + toml + text.substring(entry.valueEnd());
            }
        }
        List<String> table = path.subList(0, path.size() - 1);
        String line = TomlLayout.join(List.of(path.getLast())) + " = " + toml;
        for (var known : layout.tables()) {
            if (known.path().equals(table)) {
                int lineEnd = endOfLine(text, known.end());
                return text.substring(0, lineEnd) + "\n" + line + text.substring(lineEnd);
            }
        }
        String gap = text.isBlank() ? "" : text.endsWith("\n") ? "\n" : "\n\n";
        return text + gap + "[" + TomlLayout.join(table) + "]\n" + line + "\n";
    }

    /** Returns {@code text} without the line or lines that set {@code path}; unchanged where it stands in an inline table. */
    static String unset(String text, List<String> path) {
        for (var entry : TomlLayout.of(text).entries()) {
            if (entry.path().equals(path) && !entry.isInline()) {
                int start = text.lastIndexOf('\n', entry.keyStart()) + 1;
                int end = endOfLine(text, entry.valueEnd());
                return text.substring(0, start) + text.substring(Math.min(end + 1, text.length()));
            }
        }
        return text;
    }

    private static int endOfLine(String text, int from) {
        int end = text.indexOf('\n', from);
        return end < 0 ? text.length() : end;
    }
}
