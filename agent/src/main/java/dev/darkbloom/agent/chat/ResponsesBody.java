package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.ContentArena;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * A request of OpenAI's Responses API, rewritten into the chat request that says the same, so that one reader serves both; and the parts of it
 * that its answer repeats. Owned by the request, and reads the body until it is closed.
 */
final class ResponsesBody implements AutoCloseable {
    /** What both APIs call by one name, and sampling parameters of llama-server, which this API's own do not cover. */
    static final List<String> COPIED = List.of("model", "stream", "temperature", "top_p", "parallel_tool_calls", "instructions", "top_k", "min_p",
            "typical_p", "top_n_sigma", "seed", "stop", "repeat_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty", "samplers",
            "ignore_eos", "logit_bias", "grammar", "chat_template_kwargs", "enable_thinking", "sse_ping_interval");

    private static final NameTable OTHER_TOOLS = NameTable.of(List.of("apply_patch", "code_interpreter", "computer", "computer_use", "computer_use_preview",
            "custom", "file_search", "image_generation", "local_shell", "mcp", "namespace", "programmatic_tool_calling", "shell", "tool_search",
            "web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"));
    private static final NameTable INCLUDABLE = NameTable.of(List.of("file_search_call.results", "web_search_call.results",
            "web_search_call.action.sources", "message.input_image.image_url", "computer_call_output.output.image_url",
            "code_interpreter_call.outputs", "reasoning.encrypted_content"));
    private static final int MAX_ID_BYTES = 128;

    private final RequestBody body;
    private final ContentArena memory = new ContentArena(); // read by whichever thread carries the answer
    private final SseWriter turns = memory.writer(1024);
    private final SseWriter items = memory.writer(256);
    private final SseWriter chat;
    private final Optional<String> previous;

    /**
     * Reads and rewrites a request; borrows the body.
     *
     * @param id of the response
     * @param stored where earlier responses are; empty where none are kept
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_MEDIA}, {@code UNSUPPORTED_PARAMETER}, {@code PREVIOUS_RESPONSE_NOT_FOUND}
     */
    ResponsesBody(RequestBody body, String id, Optional<StoredResponses> stored) {
        this.body = body;
        chat = memory.writer(body.json().text().byteSize() + 1024);
        try {
            Slice before = body.value("previous_response_id", Kind.STRING);
            previous = before.isEmpty() ? Optional.empty() : Optional.of(body.json().setting(before, MAX_ID_BYTES).orElse(""));
            if (previous.isPresent()) {
                stored.orElseThrow(() -> AgentException.ofParam(ErrorCode.PREVIOUS_RESPONSE_NOT_FOUND, "previous_response_id",
                        "responses are not kept here")).appendTurns(previous.get(), turns);
            }
            items.raw("[");
            ResponsesInput.write(body, id, turns, items);
            items.raw("]");
            checkIncluded();
            writeChat();
        } catch (Throwable t) {
            close();
            throw t;
        }
    }

    private void writeChat() {
        chat.raw("{\"messages\":[").raw(turns).raw("],\"add_generation_prompt\":true");
        writeTools();
        writeToolChoice();
        writeFormat();
        writeEffort();
        if (body.has("max_output_tokens")) {
            if (body.json().integer(body.value("max_output_tokens", Kind.NUMBER)).orElse(0) < 1) {
                throw RequestBody.invalid("max_output_tokens", "max_output_tokens must be an integer of at least 1");
            }
            chat.raw(",\"max_tokens\":").raw(raw("max_output_tokens"));
        }
        for (String name : COPIED) {
            if (body.has(name)) {
                chat.raw(",\"").raw(name).raw("\":").raw(raw(name));
            }
        }
        chat.raw("}");
    }

    private MemorySegment raw(String name) {
        return body.json().segment(body.value(name));
    }

    private void writeTools() {
        JsonScanner json = body.json();
        Slice tools = body.value("tools", Kind.ARRAY);
        if (tools.isEmpty()) {
            return;
        }
        chat.raw(",\"tools\":[");
        int index = 0;
        for (JsonScanner.Cursor each = json.elements(tools); each.next(); index++) {
            Slice tool = each.value();
            Slice type = json.kind(tool) == Kind.OBJECT ? json.member(tool, "type") : Slice.EMPTY;
            if (type.isEmpty() || json.kind(type) != Kind.STRING) {
                throw RequestBody.invalid("tools", "tools[" + index + "].type is missing");
            }
            if (!json.textEquals(type, "function")) {
                throw OTHER_TOOLS.find(json, type)
                        .map(name -> AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tools", "tools of type " + name + " are not supported"))
                        .orElse(RequestBody.invalid("tools", "tools[%d].type must be function".formatted(index)));
            }
            if (!json.isText(json.member(tool, "name"))) {
                throw RequestBody.invalid("tools", "tools[" + index + "].name is missing");
            }
            chat.raw(index == 0 ? "" : ",").raw("{\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(json.member(tool, "name")));
            for (String name : List.of("description", "parameters", "strict")) {
                Slice value = MessagesBody.present(json, json.member(tool, name));
                if (!value.isEmpty()) {
                    chat.raw(",\"").raw(name).raw("\":").raw(json.segment(value));
                }
            }
            chat.raw("}}");
        }
        chat.raw("]");
    }

    private void writeToolChoice() {
        JsonScanner json = body.json();
        Slice choice = body.value("tool_choice");
        if (choice.isEmpty()) {
            return;
        }
        if (json.kind(choice) == Kind.STRING) {
            chat.raw(",\"tool_choice\":").raw(json.segment(choice));
            return;
        }
        Slice type = json.kind(choice) == Kind.OBJECT ? json.member(choice, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw RequestBody.invalid("tool_choice", "tool_choice must be auto, none, required or a function");
        }
        Slice name = json.member(choice, "name");
        if (!json.textEquals(type, "function")) {
            throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tool_choice", "of tool_choice objects only functions are supported");
        }
        if (!json.isText(name)) {
            throw RequestBody.invalid("tool_choice", "tool_choice.name is missing");
        }
        chat.raw(",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(name)).raw("}}");
    }

    private void writeFormat() {
        JsonScanner json = body.json();
        Slice text = body.value("text", Kind.OBJECT);
        Slice format = text.isEmpty() ? Slice.EMPTY : MessagesBody.present(json, json.member(text, "format"));
        if (format.isEmpty()) {
            return;
        }
        Slice type = json.kind(format) == Kind.OBJECT ? json.member(format, "type") : Slice.EMPTY;
        if (type.isEmpty() || json.kind(type) != Kind.STRING) {
            throw RequestBody.invalid("text", "text.format.type must be text, json_object or json_schema");
        }
        if (json.textEquals(type, "json_schema")) {
            Slice schema = json.member(format, "schema");
            if (schema.isEmpty()) {
                throw RequestBody.invalid("text", "text.format.schema is missing");
            }
            chat.raw(",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"output\"");
            Slice strict = MessagesBody.present(json, json.member(format, "strict"));
            if (!strict.isEmpty()) {
                chat.raw(",\"strict\":").raw(json.segment(strict));
            }
            chat.raw(",\"schema\":").raw(json.segment(schema)).raw("}}");
        } else if (json.textEquals(type, "json_object")) {
            chat.raw(",\"response_format\":{\"type\":\"json_object\"}");
        } else if (!json.textEquals(type, "text")) {
            throw RequestBody.invalid("text", "text.format.type must be text, json_object or json_schema");
        }
    }

    private void writeEffort() {
        JsonScanner json = body.json();
        Slice reasoning = body.value("reasoning", Kind.OBJECT);
        Slice effort = reasoning.isEmpty() ? Slice.EMPTY : MessagesBody.present(json, json.member(reasoning, "effort"));
        if (!effort.isEmpty()) {
            chat.raw(",\"reasoning_effort\":").raw(json.segment(effort));
        }
    }

    private void checkIncluded() {
        JsonScanner json = body.json();
        Slice include = body.value("include", Kind.ARRAY);
        if (include.isEmpty()) {
            return;
        }
        for (JsonScanner.Cursor each = json.elements(include); each.next();) {
            if (json.kind(each.value()) != Kind.STRING) {
                throw RequestBody.invalid("include", "include must be an array of strings");
            }
            if (json.textEquals(each.value(), "message.output_text.logprobs")) {
                throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "include", "message.output_text.logprobs is not supported here; chat completions have logprobs");
            }
            if (INCLUDABLE.find(json, each.value()).isEmpty()) {
                throw RequestBody.invalid("include", "include has a value that is not known");
            }
        }
    }

    /** Returns the chat request's JSON; a view until {@link #close}. */
    MemorySegment chat() {
        return chat.segment();
    }

    /** Returns what was asked as a JSON array of items; a view until {@link #close}. */
    MemorySegment items() {
        return items.segment();
    }

    /** Writes the conversation before the answer: chat messages without the array's brackets. */
    void writeTurns(SseWriter out) {
        out.raw(turns);
    }

    /** Writes the members of the response object that repeat the request, each with a comma before it. */
    void writeEcho(SseWriter out) {
        out.raw(",\"background\":false,\"service_tier\":\"default\",\"truncation\":\"disabled\",\"previous_response_id\":");
        previous.ifPresentOrElse(out::setting, () -> out.raw("null"));
        echo(out, "instructions", "null");
        echo(out, "max_output_tokens", "null");
        echo(out, "metadata", "{}");
        echo(out, "parallel_tool_calls", "true");
        echo(out, "reasoning", "{\"effort\":null,\"summary\":null}");
        echo(out, "store", "true");
        echo(out, "temperature", "null");
        echo(out, "text", "{\"format\":{\"type\":\"text\"}}");
        echo(out, "tool_choice", "\"auto\"");
        echo(out, "tools", "[]");
        echo(out, "top_p", "null");
        for (String name : List.of("user", "safety_identifier", "prompt_cache_key")) {
            if (body.has(name)) {
                echo(out, name, "null");
            }
        }
    }

    private void echo(SseWriter out, String name, String otherwise) {
        out.raw(",\"").raw(name).raw("\":");
        if (body.has(name)) {
            out.raw(raw(name));
        } else {
            out.raw(otherwise);
        }
    }

    @Override
    public void close() {
        turns.close();
        items.close();
        chat.close();
        memory.close();
    }
}
