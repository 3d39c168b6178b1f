package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.Slice;
import java.util.ArrayList;
import java.util.List;

/**
 * Which function each of a conversation's latest calls was of: results have only the call's id, and some templates want the name. Holds
 * places in the request, no text.
 */
final class CalledNames {
    /** Results find their call by looking through these; no model makes more at once. */
    private static final int MAX_CALLS = 128;

    private final JsonScanner json;
    private final List<Slice> ids = new ArrayList<>();
    private final List<Slice> names = new ArrayList<>();

    /** Borrows the request. */
    CalledNames(JsonScanner json) {
        this.json = json;
    }

    /** Notes a call by its JSON strings. */
    void add(Slice id, Slice name) {
        if (ids.size() == MAX_CALLS) {
            ids.removeFirst();
            names.removeFirst();
        }
        ids.add(id);
        names.add(name);
    }

    /** Returns the name that the latest call with this id has; empty for an id that is not known. */
    Slice of(Slice id) {
        for (int i = ids.size() - 1; i >= 0; i--) {
            if (json.segment(ids.get(i)).mismatch(json.segment(id)) < 0) {
                return names.get(i);
            }
        }
        return Slice.EMPTY;
    }

    /** Forgets all. */
    void clear() {
        ids.clear();
        names.clear();
    }
}
