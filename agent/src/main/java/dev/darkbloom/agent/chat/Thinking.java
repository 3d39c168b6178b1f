package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.content.Content;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * Whether and how much the model thinks before it answers, and the template variables that say so.
 *
 * <p>Precedence: {@code chat_template_kwargs.enable_thinking}, {@code enable_thinking}, {@code reasoning_effort} or {@code reasoning}
 * ({@code none} switches thinking off, any other effort on, {@code minimal} leaves it), the model's default of {@link CompletionsSettings},
 * the template's own. The effort is a template variable too, as llama-server passes it. Owned by the request.
 */
final class Thinking implements AutoCloseable {
    private static final NameTable EFFORTS = NameTable.of(List.of("none", "minimal", "low", "medium", "high", "xhigh", "max"));

    private final Optional<Boolean> enabled;
    private final boolean split;
    private final MemorySegment kwargs;
    private final Content rewritten;

    private Thinking(Optional<Boolean> enabled, boolean split, MemorySegment kwargs, Content rewritten) {
        this.enabled = enabled;
        this.split = split;
        this.kwargs = kwargs;
        this.rewritten = rewritten;
    }

    /** Reads the request; {@code byDefault} is what holds for the model when it says nothing. */
    static Thinking read(RequestBody body, Optional<Boolean> byDefault) {
        JsonScanner json = body.json();
        Slice kwargs = body.value("chat_template_kwargs", Kind.OBJECT);
        Optional<Boolean> enabled = kwargs.isEmpty() ? Optional.empty() : flag(json, json.member(kwargs, "enable_thinking"), "chat_template_kwargs");
        if (enabled.isEmpty() && body.has("enable_thinking")) {
            enabled = Optional.of(body.flag("enable_thinking", false));
        }
        Slice reasoning = body.value("reasoning", Kind.OBJECT);
        if (enabled.isEmpty() && !reasoning.isEmpty()) {
            enabled = flag(json, json.member(reasoning, "enabled"), "reasoning");
        }
        Optional<String> effort = effort(json, body.value("reasoning_effort"), "reasoning_effort");
        if (effort.isEmpty() && !reasoning.isEmpty()) {
            effort = effort(json, json.member(reasoning, "effort"), "reasoning");
        }
        if (enabled.isEmpty() && effort.isPresent() && !effort.get().equals("minimal")) {
            enabled = Optional.of(!effort.get().equals("none"));
        }
        boolean split = isSplit(body);
        boolean passed = effort.isPresent() && !effort.get().equals("none");
        Content rewritten = passed ? withEffort(json, kwargs, effort.get()) : Content.confined(1);
        MemorySegment view = passed ? rewritten.segment() : kwargs.isEmpty() ? MemorySegment.NULL : json.segment(kwargs);
        return new Thinking(enabled.or(() -> byDefault), split, view, rewritten);
    }

    private static Optional<Boolean> flag(JsonScanner json, Slice value, String param) {
        if (value.isEmpty()) {
            return Optional.empty();
        }
        return switch (json.kind(value)) {
            case TRUE -> Optional.of(true);
            case FALSE -> Optional.of(false);
            case NULL -> Optional.empty();
            default -> throw RequestBody.invalid(param, param + " has a switch that is not a boolean");
        };
    }

    private static Optional<String> effort(JsonScanner json, Slice value, String param) {
        if (value.isEmpty() || json.kind(value) == Kind.NULL) {
            return Optional.empty();
        }
        Optional<String> effort = json.kind(value) == Kind.STRING ? EFFORTS.find(json, value) : Optional.empty();
        if (effort.isEmpty()) {
            throw RequestBody.invalid(param, "the reasoning effort must be none, minimal, low, medium, high or xhigh");
        }
        return effort;
    }

    /** Puts the effort behind the client's own variables; of two members with one name the last counts. */
    private static Content withEffort(JsonScanner json, Slice kwargs, String effort) {
        Content rewritten = Content.confined(kwargs.length() + 64);
        boolean empty = kwargs.isEmpty() || !json.members(kwargs).next();
        if (empty) {
            rewritten.append((byte) '{');
        } else {
            rewritten.append(json.text(), kwargs.offset(), kwargs.length() - 1);
            rewritten.append((byte) ',');
        }
        rewritten.appendAscii("\"reasoning_effort\":\"" + effort + "\"}");
        return rewritten;
    }

    private static boolean isSplit(RequestBody body) {
        return switch (body.word("reasoning_format").orElse("auto")) {
            case "auto", "deepseek" -> true;
            case "none" -> false;
            default -> throw RequestBody.invalid("reasoning_format", "reasoning_format must be auto, deepseek or none");
        };
    }

    /** Returns whether the model thinks, or null: as its template has it. */
    Boolean enabled() {
        return enabled.orElse(null);
    }

    /** Returns whether reasoning is told apart from content. */
    boolean isSplit() {
        return split;
    }

    /** Returns the template variables as a JSON object, or {@link MemorySegment#NULL}. */
    MemorySegment kwargs() {
        return kwargs;
    }

    @Override
    public void close() {
        rewritten.close();
    }
}
