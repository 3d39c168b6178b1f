package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What clients ask about responses that are kept: read one, whole or as events, cancel it, forget it, list what it was asked. Any thread.
 */
public final class StoredResponses {
    private static final int DEFAULT_LIMIT = 20;
    private static final int MAX_LIMIT = 100;

    private final ResponseStore store;
    private final long pingNanos;

    /** Borrows the store; a stream is pinged after {@code pingInterval} of silence, zero for never. */
    public StoredResponses(ResponseStore store, Duration pingInterval) {
        this.store = store;
        pingNanos = pingInterval.isZero() ? Long.MAX_VALUE : pingInterval.toNanos();
    }

    /**
     * Answers {@code GET /v1/responses/{id}}: with the response as it is, or with {@code stream=true} with its events behind {@code
     * starting_after}, those that are still to come included. As in OpenAI's guide to background mode, events are there of responses that
     * were created with {@code background} and {@code stream}. Blocks until the last one.
     *
     * @param query the names and values behind the question mark
     */
    public void retrieve(String id, Map<String, List<String>> query, ResponseSink sink) {
        if (first(query, "stream", "").equals("true")) {
            int from = startingAfter(query) + 1;
            if (!store.keepsEvents(id).orElseThrow(StoredResponses::notFound)) {
                throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "stream",
                        "no events of this response are kept: it was not created with background and stream, or is too long");
            }
            stream(id, from, sink);
        } else {
            document(id, sink);
        }
    }

    private static int startingAfter(Map<String, List<String>> query) {
        if (!query.containsKey("starting_after")) {
            return -1;
        }
        try {
            int number = Integer.parseInt(first(query, "starting_after", ""));
            if (number >= 0 && number < Integer.MAX_VALUE) {
                return number;
            }
        } catch (NumberFormatException _) {
            // refused below, as one that is out of range
        }
        throw RequestBody.invalid("starting_after", "starting_after must be an event's sequence_number");
    }

    private void stream(String id, int from, ResponseSink sink) {
        // The connection's thread, which tells this, must not wait for the store.
        sink.onGone(() -> Thread.ofVirtual().name("task-wake-readers").start(store::wakeReaders));
        sink.beginStream();
        int next = from;
        try (Content events = Content.confined(4096)) {
            while (true) {
                events.clear();
                Optional<KeptEvents.Batch> read = store.readEvents(id, next, pingNanos, sink::isGone, events);
                if (read.isEmpty()) {
                    abort(next, sink);
                    return;
                }
                KeptEvents.Batch batch = read.get();
                send(events, batch, sink);
                next += batch.sizes().length;
                if (batch.last()) {
                    sink.endTypedStream();
                    return;
                }
                if (sink.isGone()) {
                    throw new AgentException(ErrorCode.CANCELLED, "the other side is gone");
                }
                if (batch.sizes().length == 0) {
                    sink.ping();
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AgentException(ErrorCode.CANCELLED, "the request was interrupted");
        }
    }

    private static void send(Content events, KeptEvents.Batch batch, ResponseSink sink) {
        long at = 0;
        for (int size : batch.sizes()) {
            sink.event(events.segment().asSlice(at, size));
            at += size;
        }
    }

    /** Ends a stream whose response was deleted, or grew beyond what is kept, while it was sent. */
    private static void abort(int sequence, ResponseSink sink) {
        try (SseWriter event = SseWriter.allocate(256)) {
            new ResponsesEvents(event, sink, sequence, (_, _) -> { })
                    .abort(ErrorCode.NOT_FOUND.wireCode(), "the events of this response are no longer kept");
        }
    }

    /** Answers {@code POST /v1/responses/{id}/cancel}: with the response, also when it was cancelled before. */
    public void cancel(String id, ResponseSink sink) {
        ResponseStore.State before = store.cancel(id).orElseThrow(StoredResponses::notFound);
        if (before == ResponseStore.State.ENDED) {
            throw new AgentException(ErrorCode.INVALID_REQUEST, "this response has ended and cannot be cancelled");
        }
        document(id, sink);
    }

    /** Answers {@code DELETE /v1/responses/{id}}. */
    public void delete(String id, ResponseSink sink) {
        if (!store.delete(id)) {
            throw notFound();
        }
        try (SseWriter json = SseWriter.allocate(128)) {
            json.raw("{\"id\":").setting(id).raw(",\"object\":\"response\",\"deleted\":true}");
            sink.document(json.segment());
        }
    }

    private void document(String id, ResponseSink sink) {
        try (Content object = Content.confined(1024)) {
            store.readObject(id, object).orElseThrow(StoredResponses::notFound);
            sink.document(object.segment());
        }
    }

    /** Answers {@code GET /v1/responses/{id}/input_items}: the items of its own request, the newest first unless {@code order=asc}. */
    public void inputItems(String id, Map<String, List<String>> query, ResponseSink sink) {
        int limit = limit(query);
        boolean ascending = switch (first(query, "order", "desc")) {
            case "asc" -> true;
            case "desc" -> false;
            default -> throw RequestBody.invalid("order", "order must be asc or desc");
        };
        try (Content items = Content.confined(1024)) {
            int ownFrom = store.readItems(id, items).orElseThrow(StoredResponses::notFound);
            JsonScanner json = JsonScanner.of(items.segment());
            List<Slice> own = new ArrayList<>();
            int index = 0;
            for (JsonScanner.Cursor each = json.elements(json.root()); each.next(); index++) {
                if (index >= ownFrom) {
                    own.add(each.value());
                }
            }
            if (!ascending) {
                Collections.reverse(own);
            }
            String after = first(query, "after", "");
            int from = after.isEmpty() ? 0 : indexAfter(json, own, after);
            page(json, own.subList(from, Math.min(own.size(), from + limit)), from + limit < own.size(), sink);
        }
    }

    private static void page(JsonScanner json, List<Slice> items, boolean hasMore, ResponseSink sink) {
        try (SseWriter page = SseWriter.allocate(1024)) {
            page.raw("{\"object\":\"list\",\"data\":[");
            for (int i = 0; i < items.size(); i++) {
                page.raw(i == 0 ? "" : ",").raw(json.segment(items.get(i)));
            }
            page.raw("],\"first_id\":");
            id(page, json, items.isEmpty() ? Slice.EMPTY : items.getFirst());
            page.raw(",\"last_id\":");
            id(page, json, items.isEmpty() ? Slice.EMPTY : items.getLast());
            page.raw(",\"has_more\":").raw(hasMore ? "true}" : "false}");
            sink.document(page.segment());
        }
    }

    private static void id(SseWriter page, JsonScanner json, Slice item) {
        if (item.isEmpty()) {
            page.raw("null");
        } else {
            page.raw(json.segment(json.member(item, "id")));
        }
    }

    private static int indexAfter(JsonScanner json, List<Slice> items, String id) {
        for (int i = 0; i < items.size(); i++) {
            if (json.textEquals(json.member(items.get(i), "id"), id)) {
                return i + 1;
            }
        }
        throw RequestBody.invalid("after", "after names an item that is not in the list");
    }

    private static int limit(Map<String, List<String>> query) {
        try {
            int limit = Integer.parseInt(first(query, "limit", Integer.toString(DEFAULT_LIMIT)));
            if (limit >= 1 && limit <= MAX_LIMIT) {
                return limit;
            }
        } catch (NumberFormatException _) {
            // refused below, as one that is out of range
        }
        throw RequestBody.invalid("limit", "limit must be an integer from 1 to " + MAX_LIMIT);
    }

    private static String first(Map<String, List<String>> query, String name, String otherwise) {
        return query.getOrDefault(name, List.of()).stream().findFirst().orElse(otherwise);
    }

    private static AgentException notFound() {
        return new AgentException(ErrorCode.NOT_FOUND, "no response with this id is kept here");
    }
}
