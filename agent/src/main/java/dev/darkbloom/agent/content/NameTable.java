package dev.darkbloom.agent.content;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * Finds out which of our own names a piece of JSON spells, without making a Java string of what a client wrote. Immutable; any thread.
 */
public final class NameTable {
    private final List<String> names;
    private final String[] slots;

    private NameTable(List<String> names) {
        this.names = names;
        slots = new String[Integer.highestOneBit(Math.max(names.size(), 4)) * 4];
        for (String name : names) {
            int slot = hash(name) & (slots.length - 1);
            while (slots[slot] != null) {
                slot = (slot + 1) & (slots.length - 1);
            }
            slots[slot] = name;
        }
    }

    /** Returns a table of distinct ASCII names. */
    public static NameTable of(Collection<String> names) {
        return new NameTable(List.copyOf(names));
    }

    /** Returns the name that a JSON string value spells, or empty when it is none of ours. */
    public Optional<String> find(JsonScanner json, Slice string) {
        MemorySegment text = json.text();
        int hash = 0;
        for (long at = string.offset() + 1; at < string.end() - 1; at++) {
            byte b = text.get(ValueLayout.JAVA_BYTE, at);
            if (b == '\\') { // rare: compare with every name, escapes resolved
                return names.stream().filter(name -> json.textEquals(string, name)).findFirst();
            }
            hash = 31 * hash + b;
        }
        for (int slot = hash & (slots.length - 1); slots[slot] != null; slot = (slot + 1) & (slots.length - 1)) {
            if (json.textEquals(string, slots[slot])) {
                return Optional.of(slots[slot]);
            }
        }
        return Optional.empty();
    }

    private static int hash(String name) {
        int hash = 0;
        for (int i = 0; i < name.length(); i++) {
            hash = 31 * hash + (byte) name.charAt(i);
        }
        return hash;
    }
}
