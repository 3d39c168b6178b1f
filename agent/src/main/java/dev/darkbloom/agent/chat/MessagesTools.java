package dev.darkbloom.agent.chat;

import dev.darkbloom.agent.base.AgentException;
import dev.darkbloom.agent.base.ErrorCode;
import dev.darkbloom.agent.content.JsonScanner;
import dev.darkbloom.agent.content.JsonScanner.Kind;
import dev.darkbloom.agent.content.NameTable;
import dev.darkbloom.agent.content.Slice;
import dev.darkbloom.agent.content.SseWriter;
import java.util.List;
import java.util.Optional;

/** Turns the tools and the tool choice of Anthropic's Messages API into OpenAI's. */
final class MessagesTools {
    /** Tools that the service runs or that its models were trained on, as the pinned {@code @anthropic-ai/sdk} types them: an error can name them. */
    private static final NameTable SERVICE_TOOLS = NameTable.of(List.of("advisor_20260301", "bash_20241022", "bash_20250124",
            "browser_toolset_20260801", "code_execution_20250522", "code_execution_20250825", "code_execution_20260120", "code_execution_20260521",
            "computer_20241022", "computer_20250124", "computer_20251124", "computer_toolset_20260801", "mcp_toolset", "memory_20250818",
            "text_editor_20241022", "text_editor_20250124", "text_editor_20250429", "text_editor_20250728", "tool_search_tool_bm25",
            "tool_search_tool_bm25_20251119", "tool_search_tool_regex", "tool_search_tool_regex_20251119", "web_fetch_20250910",
            "web_fetch_20260209", "web_fetch_20260309", "web_fetch_20260318", "web_search_20250305", "web_search_20260209",
            "web_search_20260318"));
    private static final NameTable CHOICES = NameTable.of(List.of("auto", "any", "tool", "none"));

    private MessagesTools() {}

    /**
     * Writes {@code ,"tools":…,"tool_choice":…,"parallel_tool_calls":…}, as far as the request has them; borrows both.
     *
     * @throws AgentException {@code INVALID_REQUEST}, {@code UNSUPPORTED_PARAMETER} for a tool that is not the client's own
     */
    static void write(RequestBody body, SseWriter out) {
        JsonScanner json = body.json();
        Slice tools = body.value("tools", Kind.ARRAY);
        int count = 0;
        if (!tools.isEmpty()) {
            out.raw(",\"tools\":[");
            for (JsonScanner.Cursor each = json.elements(tools); each.next(); count++) {
                out.raw(count == 0 ? "" : ",");
                writeTool(json, each.value(), count, out);
            }
            out.raw("]");
        }
        Slice choice = body.value("tool_choice", Kind.OBJECT);
        if (!choice.isEmpty()) {
            writeChoice(json, choice, count, out);
        }
    }

    private static void writeTool(JsonScanner json, Slice tool, int index, SseWriter out) {
        if (json.kind(tool) != Kind.OBJECT) {
            throw invalid("tools[" + index + "] is not an object");
        }
        checkType(json, MessagesBody.present(json, json.member(tool, "type")), index);
        Slice name = json.member(tool, "name");
        Slice schema = json.member(tool, "input_schema");
        if (!json.isText(name)) {
            throw invalid("tools[" + index + "].name is missing");
        }
        if (schema.isEmpty() || json.kind(schema) != Kind.OBJECT) {
            throw invalid("tools[" + index + "].input_schema must be an object");
        }
        out.raw("{\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(name));
        Slice description = MessagesBody.present(json, json.member(tool, "description"));
        if (!description.isEmpty()) {
            if (json.kind(description) != Kind.STRING) {
                throw invalid("tools[" + index + "].description must be a string");
            }
            out.raw(",\"description\":").raw(json.segment(description));
        }
        out.raw(",\"parameters\":").raw(json.segment(schema));
        if (isTrue(json, json.member(tool, "strict"), "tools")) {
            out.raw(",\"strict\":true");
        }
        out.raw("}}");
    }

    private static void checkType(JsonScanner json, Slice type, int index) {
        if (type.isEmpty() || json.kind(type) == Kind.STRING && json.textEquals(type, "custom")) {
            return;
        }
        Optional<String> known = MessagesTurns.name(json, type, SERVICE_TOOLS);
        throw AgentException.ofParam(ErrorCode.UNSUPPORTED_PARAMETER, "tools", "tools[" + index + "] is "
                + known.map(name -> "of type " + name).orElse("not of type custom") + "; only tools of the client's own are supported");
    }

    private static void writeChoice(JsonScanner json, Slice choice, int tools, SseWriter out) {
        String type = MessagesTurns.name(json, json.member(choice, "type"), CHOICES)
                .orElseThrow(() -> invalidChoice("tool_choice.type must be auto, any, tool or none"));
        if (tools == 0 && (type.equals("any") || type.equals("tool"))) {
            throw invalidChoice("tool_choice is " + type + ", but there are no tools");
        }
        out.raw(",\"tool_choice\":");
        switch (type) {
            case "any" -> out.raw("\"required\"");
            case "tool" -> {
                Slice name = json.member(choice, "name");
                if (!json.isText(name)) {
                    throw invalidChoice("tool_choice.name is missing");
                }
                out.raw("{\"type\":\"function\",\"function\":{\"name\":").raw(json.segment(name)).raw("}}");
            }
            default -> out.raw("\"").raw(type).raw("\"");
        }
        if (isTrue(json, json.member(choice, "disable_parallel_tool_use"), "tool_choice")) {
            out.raw(",\"parallel_tool_calls\":false");
        }
    }

    private static boolean isTrue(JsonScanner json, Slice flag, String param) {
        if (flag.isEmpty()) {
            return false;
        }
        return switch (json.kind(flag)) {
            case TRUE -> true;
            case FALSE, NULL -> false;
            default -> throw RequestBody.invalid(param, param + " has a switch that is not a boolean");
        };
    }

    private static AgentException invalid(String message) {
        return RequestBody.invalid("tools", message);
    }

    private static AgentException invalidChoice(String message) {
        return RequestBody.invalid("tool_choice", message);
    }
}
