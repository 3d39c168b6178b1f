package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.StopMatcher;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** The stop strings of a request, outside the heap. Owned by the request. */
final class StopStrings implements AutoCloseable {
    private final Content memory = Content.confined(64);
    private final List<Slice> stops = new ArrayList<>();

    /**
     * Reads {@code stop}, a string or an array of strings; empty strings stop nothing.
     *
     * @throws dev.darkbloom.agent.base.AgentException {@code INVALID_REQUEST}, also beyond {@link StopMatcher#MAX_STRINGS} strings or
     *     {@link StopMatcher#MAX_BYTES} bytes
     */
    static StopStrings read(RequestBody body) {
        var strings = new StopStrings();
        try {
            strings.readAll(body);
            return strings;
        } catch (Throwable t) {
            strings.close();
            throw t;
        }
    }

    private void readAll(RequestBody body) {
        Slice value = body.value("stop");
        if (value.isEmpty()) {
            return;
        }
        JsonScanner json = body.json();
        switch (json.kind(value)) {
            case STRING -> add(json, value);
            case ARRAY -> {
                int count = json.count(value);
                if (count > StopMatcher.MAX_STRINGS) {
                    throw RequestBody.invalid("stop", "stop has " + count + " strings; at most " + StopMatcher.MAX_STRINGS + " are allowed");
                }
                for (JsonScanner.Cursor texts = json.elements(value); texts.next();) {
                    if (json.kind(texts.value()) != JsonScanner.Kind.STRING) {
                        throw RequestBody.invalid("stop", "stop must be a string or an array of strings");
                    }
                    add(json, texts.value());
                }
            }
            default -> throw RequestBody.invalid("stop", "stop must be a string or an array of strings");
        }
    }

    private void add(JsonScanner json, Slice text) {
        long start = memory.length();
        json.decode(text, memory);
        long size = memory.length() - start;
        if (size > StopMatcher.MAX_BYTES) {
            throw RequestBody.invalid("stop", "stop has a string of " + size + " bytes; at most " + StopMatcher.MAX_BYTES + " are allowed");
        }
        if (size > 0) {
            stops.add(new Slice(start, size));
        }
    }

    /** Returns how many strings the request has. */
    int count() {
        return stops.size();
    }

    /** Returns a matcher in {@code answer} for the request's strings, which it copies. */
    StopMatcher matcher(ContentArena answer) {
        List<MemorySegment> all = new ArrayList<>(stops.size());
        for (Slice stop : stops) {
            all.add(memory.segment(stop));
        }
        return StopMatcher.of(all, answer);
    }

    /** Returns a matcher in {@code answer} for a template's own strings, which it copies; those that are no stop strings are left out. */
    static StopMatcher matcher(List<MemorySegment> strings, ContentArena answer) {
        return StopMatcher.of(strings.stream().filter(stop -> stop.byteSize() > 0 && stop.byteSize() <= StopMatcher.MAX_BYTES)
                .limit(StopMatcher.MAX_STRINGS).toList(), answer);
    }

    @Override
    public void close() {
        memory.close();
    }
}
