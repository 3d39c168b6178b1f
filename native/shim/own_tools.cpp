#include "own_tools.h"

#include <new>

#include "chat-peg-parser.h"
#include "json-schema-to-grammar.h"

namespace dbs {

namespace {

constexpr const char * call_start   = "<tool_call>";
constexpr const char * call_end     = "</tool_call>";
constexpr const char * answer_start = "<tool_response>";
constexpr const char * answer_end   = "</tool_response>";

constexpr const char * probe_name = "dbs_probe_of_tools";

std::string text_of(const common_chat_msg & message) {
    return message.content_parts.empty() ? message.content : message.render_content("\n");
}

void append_paragraph(std::string & text, const std::string & paragraph) {
    if (!text.empty() && !paragraph.empty()) {
        text += "\n\n";
    }
    text += paragraph;
}

std::string written(const common_chat_tool_call & call) {
    // Arguments are JSON text in a request; what is no JSON is shown as the text that it is.
    common_json arguments = common_json::parse_no_throw(call.arguments);
    if (arguments.is_discarded()) {
        arguments = call.arguments;
    }
    const common_json object = { { "name", call.name }, { "arguments", arguments } };
    return std::string(call_start) + "\n" + object.dump() + "\n" + call_end;
}

/** As LFM2's newer templates write a message's calls. */
std::string written_as_list(const std::vector<common_chat_tool_call> & calls) {
    std::string list;
    for (const common_chat_tool_call & call : calls) {
        std::string       members;
        const common_json arguments = common_json::parse_no_throw(call.arguments);
        if (arguments.is_object()) {
            for (const auto & [name, value] : arguments.items()) {
                members += (members.empty() ? "" : ", ") + name + "=" + value.dump();
            }
        } else {
            members = call.arguments; // cut off: what there is of them
        }
        list += (list.empty() ? "" : ", ") + call.name + "(" + members + ")";
    }
    return "<|tool_call_start|>[" + list + "]<|tool_call_end|>";
}

std::vector<common_chat_msg> with_one_call_each(const std::vector<common_chat_msg> & messages) {
    std::vector<common_chat_msg> out;
    for (size_t i = 0; i < messages.size(); i++) {
        const common_chat_msg & message = messages[i];
        if (message.tool_calls.size() < 2) {
            out.push_back(message);
            continue;
        }
        std::vector<common_chat_msg> answers;
        while (i + 1 < messages.size() && messages[i + 1].role == "tool") {
            answers.push_back(messages[++i]);
        }
        common_chat_msg one = message;
        for (const common_chat_tool_call & call : message.tool_calls) {
            one.tool_calls = { call };
            out.push_back(one);
            one.content.clear();
            one.content_parts.clear();
            one.reasoning_content.clear();
            for (auto answer = answers.begin(); answer != answers.end();) {
                const bool is_its = answer->tool_call_id == call.id;
                if (is_its) {
                    out.push_back(std::move(*answer));
                }
                answer = is_its ? answers.erase(answer) : answer + 1;
            }
        }
        out.insert(out.end(), answers.begin(), answers.end());
    }
    return out;
}

std::string description_of(const common_chat_templates_inputs & in) {
    std::string text = "You can call functions. Each line describes one:";
    for (const common_chat_tool & tool : in.tools) {
        common_json parameters = common_json::parse_no_throw(tool.parameters);
        if (parameters.is_discarded()) {
            parameters = common_json::object();
        }
        const common_json object = { { "name", tool.name }, { "description", tool.description }, { "parameters", parameters } };
        text += "\n" + object.dump();
    }
    text += std::string("\n\nTo call a function, write its name and its arguments as JSON between tags:\n") + call_start +
            "\n{\"name\": \"NAME\", \"arguments\": {ARGUMENTS}}\n" + call_end + "\nWhat it returns comes between " + answer_start + " and " + answer_end + ".";
    text += in.parallel_tool_calls ? " Several calls may follow each other." : " Make one call at a time.";
    text += in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED ? " Call a function now." : " Where no function helps, answer without a call.";
    return text;
}

} // namespace

bool lacks_tools(const common_chat_templates & templates) {
    common_chat_templates_inputs probe;
    common_chat_msg              greeting;
    greeting.role    = "user";
    greeting.content = "Hello";
    probe.messages   = { greeting };
    probe.tools      = { { probe_name, "Does nothing.", R"({"type":"object","properties":{"text":{"type":"string"}},"required":["text"]})" } };
    probe.tool_choice = COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    try {
        const common_chat_params params = common_chat_templates_apply(&templates, probe);
        return params.grammar.empty() || params.prompt.find(probe_name) == std::string::npos;
    } catch (const std::bad_alloc &) {
        throw;
    } catch (...) {
        return true;
    }
}

CallsShown calls_shown(const common_chat_templates & templates) {
    const auto call = [](const char * id, const char * text) {
        common_chat_tool_call out;
        out.id        = id;
        out.name      = probe_name;
        out.arguments = std::string(R"({"text":")") + text + R"("})";
        return out;
    };
    const auto answer = [](const char * id) {
        common_chat_msg out;
        out.role         = "tool";
        out.tool_name    = probe_name;
        out.tool_call_id = id;
        out.content      = "done";
        return out;
    };
    common_chat_templates_inputs probe;
    common_chat_msg              greeting;
    common_chat_msg              calls;
    greeting.role    = "user";
    greeting.content = "Hello";
    calls.role       = "assistant";
    calls.tool_calls = { call("abc123456", "dbs-probe-one"), call("def123456", "dbs-probe-two") };
    probe.messages   = { greeting, calls, answer("abc123456"), answer("def123456") };
    probe.tools      = { { probe_name, "Does nothing.", R"({"type":"object","properties":{"text":{"type":"string"}},"required":["text"]})" } };
    const auto shows = [&](const char * text) { return common_chat_templates_apply(&templates, probe).prompt.find(text) != std::string::npos; };
    try {
        try {
            return !shows("dbs-probe-one") ? CallsShown::none : shows("dbs-probe-two") ? CallsShown::all : CallsShown::first_only;
        } catch (const std::bad_alloc &) {
            throw;
        } catch (...) {
            probe.messages = with_one_call_each(probe.messages); // some refuse two calls in one message
            return shows("dbs-probe-two") ? CallsShown::first_only : CallsShown::all;
        }
    } catch (const std::bad_alloc &) {
        throw;
    } catch (...) {
        return CallsShown::all;
    }
}

void show_calls(CallsShown shown, std::vector<common_chat_msg> & messages) {
    if (shown == CallsShown::first_only) {
        messages = with_one_call_each(messages);
    } else if (shown == CallsShown::none) {
        for (common_chat_msg & message : messages) {
            if (!message.tool_calls.empty()) {
                message.content = text_of(message) + written_as_list(message.tool_calls);
                message.content_parts.clear();
                message.tool_calls.clear();
            }
        }
    }
}

bool has_tool_messages(const std::vector<common_chat_msg> & messages) {
    for (const common_chat_msg & message : messages) {
        if (message.role == "tool" || message.role == "function" || !message.tool_calls.empty()) {
            return true;
        }
    }
    return false;
}

void write_tools_as_text(common_chat_templates_inputs & in) {
    std::vector<common_chat_msg> messages;
    bool                         follows_answer = false;
    for (common_chat_msg & message : in.messages) {
        const bool is_answer = message.role == "tool" || message.role == "function";
        if (is_answer || (follows_answer && message.role == "user")) {
            const std::string text = is_answer ? std::string(answer_start) + "\n" + text_of(message) + "\n" + answer_end : text_of(message);
            // Many templates refuse two messages of one role in a row.
            if (follows_answer) {
                messages.back().content += "\n" + text;
            } else {
                common_chat_msg user;
                user.role    = "user";
                user.content = text;
                messages.push_back(std::move(user));
            }
        } else if (!message.tool_calls.empty()) {
            std::string text = text_of(message);
            for (const common_chat_tool_call & call : message.tool_calls) {
                text += (text.empty() ? "" : "\n") + written(call);
            }
            message.content = std::move(text);
            message.content_parts.clear();
            message.tool_calls.clear();
            messages.push_back(std::move(message));
        } else {
            messages.push_back(std::move(message));
        }
        follows_answer = is_answer;
    }
    if (!in.tools.empty() && in.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE) {
        const std::string description = description_of(in);
        if (!messages.empty() && (messages.front().role == "system" || messages.front().role == "developer")) {
            std::string text = text_of(messages.front());
            append_paragraph(text, description);
            messages.front().content = std::move(text);
            messages.front().content_parts.clear();
        } else {
            common_chat_msg system;
            system.role    = "system";
            system.content = description;
            messages.insert(messages.begin(), std::move(system));
        }
    }
    in.messages = std::move(messages);
    in.tools.clear();
    in.json_schema.clear();
    in.tool_choice = COMMON_CHAT_TOOL_CHOICE_NONE;
}

void expect_calls_as_text(common_chat_params & params, const common_chat_templates_inputs & in, const std::string & beginning) {
    const common_json tools    = common_chat_tools_to_json_oaicompat(in.tools);
    const bool        required = in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    const std::string start    = params.thinking_start_tag;
    const std::string end      = params.thinking_end_tags.empty() ? std::string() : params.thinking_end_tags.front();

    const common_peg_arena parser = build_chat_peg_parser([&](common_chat_peg_builder & p) {
        common_peg_parser thought = p.eps();
        if (!end.empty()) {
            const bool is_split = in.reasoning_format != COMMON_REASONING_FORMAT_NONE;
            const common_peg_parser text = is_split ? p.literal(start) + p.reasoning(p.until(end)) + p.literal(end)
                                                    : p.content(p.literal(start) + p.until(end) + p.literal(end));
            thought = p.optional(text + p.space());
        }
        common_peg_parser call  = p.standard_json_tools(call_start, call_end, tools, false, true);
        common_peg_parser calls = in.parallel_tool_calls ? p.trigger_rule("tool-calls", p.one_or_more(call + p.space())) : call + p.space();
        common_peg_parser answer = calls;
        if (!required) {
            answer = p.optional(p.content(p.until(call_start))) + p.optional(calls);
        }
        return p.prefix(beginning, start) << thought + answer + p.end();
    });
    params.format       = COMMON_CHAT_FORMAT_PEG_NATIVE;
    params.parser       = parser.save();
    params.grammar_lazy = !required;
    params.grammar      = build_grammar([&](const common_grammar_builder & builder) {
        for (const common_json & tool : tools) {
            const common_json & function = tool.at("function");
            common_json         arguments = function.contains("parameters") ? function.at("parameters") : common_json::object();
            builder.resolve_refs(arguments);
        }
        parser.build_grammar(builder, params.grammar_lazy);
    });
    params.grammar_triggers.clear();
    if (params.grammar_lazy) {
        common_grammar_trigger trigger;
        trigger.type  = COMMON_GRAMMAR_TRIGGER_TYPE_WORD;
        trigger.value = call_start;
        params.grammar_triggers.push_back(trigger);
    }
    params.preserved_tokens.push_back(call_start);
    params.preserved_tokens.push_back(call_end);
}

} // namespace dbs
