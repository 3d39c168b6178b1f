package dev.darkbloom.agent.protocol;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * JSON with one way to write it: members by the code points of their names, no spaces, strings escaped as Go's encoder does by default.
 *
 * <p>What is signed is written with this, so it has to be the coordinator's own form to the byte. Newer coordinators leave {@code <},
 * {@code >} and {@code &} as they are; keep them out of names and hashes and both agree.
 */
final class CanonicalJson {
    private final StringBuilder text = new StringBuilder(512);

    private CanonicalJson() {}

    /** Returns the text of an object whose values are strings, booleans and maps of strings. */
    static String of(Map<String, ?> members) {
        var json = new CanonicalJson();
        json.object(members);
        return json.text.toString();
    }

    private void object(Map<?, ?> members) {
        var sorted = new TreeMap<String, Object>(CanonicalJson::byCodePoints);
        members.forEach((name, value) -> sorted.put((String) name, value));
        text.append('{');
        sorted.forEach((name, value) -> {
            if (text.charAt(text.length() - 1) != '{') {
                text.append(',');
            }
            string(name);
            text.append(':');
            switch (value) {
                case String word -> string(word);
                case Boolean truth -> text.append(truth.booleanValue());
                case Map<?, ?> inner -> object(inner);
                default -> throw new IllegalArgumentException("no canonical form for a " + value.getClass().getSimpleName());
            }
        });
        text.append('}');
    }

    /** Orders by code points, as bytes of UTF-8 are ordered; a {@code String}'s own order differs above U+FFFF. */
    private static int byCodePoints(String a, String b) {
        return Arrays.compareUnsigned(a.getBytes(StandardCharsets.UTF_8), b.getBytes(StandardCharsets.UTF_8));
    }

    private void string(String value) {
        text.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"', '\\' -> text.append('\\').append(c);
                case '\n' -> text.append("\\n");
                case '\r' -> text.append("\\r");
                case '\t' -> text.append("\\t");
                case '\b' -> text.append("\\b");
                case '\f' -> text.append("\\f");
                case '<', '>', '&', '\u2028', '\u2029' -> escape(c);
                default -> {
                    if (c < 0x20) {
                        escape(c);
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        text.append('"');
    }

    private void escape(char c) {
        text.append("\\u").append(HexFormat.of().toHexDigits(c));
    }
}
