package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A page of a list of items, as OpenAI's lists are. */
final class ItemPage {
    private ItemPage() {}

    /**
     * Writes the page.
     *
     * @param items a JSON array of objects with ids
     * @param ascending in the array's order; otherwise from its end
     * @param after the id of the item behind which the page begins; empty for the first page
     */
    static void write(MemorySegment items, boolean ascending, String after, int limit, SseWriter out) {
        JsonScanner json = JsonScanner.of(items);
        var all = new ArrayList<Slice>();
        for (JsonScanner.Cursor each = json.elements(json.root()); each.next();) {
            all.add(each.value());
        }
        if (!ascending) {
            Collections.reverse(all);
        }
        int from = 0;
        for (int i = 0; i < all.size() && !after.isEmpty(); i++) {
            if (after.equals(idOf(json, all.get(i)))) {
                from = i + 1;
            }
        }
        int to = Math.min(all.size(), from + limit);
        out.raw("{\"object\":\"list\",\"data\":[");
        for (int i = from; i < to; i++) {
            out.raw(i > from ? "," : "").raw(json.segment(all.get(i)));
        }
        out.raw("],\"first_id\":");
        writeId(json, all, from, to, from, out);
        out.raw(",\"last_id\":");
        writeId(json, all, from, to, to - 1, out);
        out.raw(",\"has_more\":").raw(to < all.size() ? "true" : "false").raw("}");
    }

    private static void writeId(JsonScanner json, List<Slice> all, int from, int to, int at, SseWriter out) {
        if (from < to) {
            out.raw(json.segment(json.member(all.get(at), "id")));
        } else {
            out.raw("null");
        }
    }

    /** An item's id is a name, ours or one that the client made up, and no content. */
    private static String idOf(JsonScanner json, Slice item) {
        return json.setting(json.member(item, "id"), 128).orElse("");
    }
}
