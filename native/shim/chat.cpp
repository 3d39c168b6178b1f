// Chat templates: messages to a prompt, with the grammar and the parser that belong to it.

#include <algorithm>
#include <chrono>
#include <cctype>
#include <climits>
#include <ctime>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "chat-peg-parser.h"
#include "reasoning-budget.h"

#include "answer_grammar.h"
#include "call_history.h"
#include "deep_stack.h"
#include "format_marks.h"
#include "gbnf_check.h"
#include "guard.h"
#include "input_marks.h"
#include "own_tools.h"
#include "request.h"
#include "sampling.h"
#include "schema_grammar.h"
#include "schema_weight.h"
#include "tool_schemas.h"
#include "vocab.h"

namespace {

std::string text_of(const dbs_slice & slice) {
    return slice.size > 0 ? std::string(slice.data, slice.size) : std::string();
}

bool is_whole(const dbs_slice & slice) {
    return slice.data != nullptr || slice.size == 0;
}

bool is_flag(int32_t value) {
    return value == 0 || value == 1;
}

/** Parses JSON text into `out`; false when it is none. */
bool read_json(const std::string & text, common_json & out) {
    out = common_json::parse_no_throw(text);
    return !out.is_discarded();
}

/** The template's answer to one greeting, with `enable_thinking` set to the given JSON or, where that is NULL, to nothing at all. */
std::string render_greeting(const common_chat_template & tmpl, const bool * enable_thinking) {
    jinja::context context(tmpl.source());
    common_json    message = { { "role", "user" }, { "content", "Hello" } };
    if (!tmpl.original_caps().supports_string_content) {
        message["content"] = common_json::array({ common_json{ { "type", "text" }, { "text", "Hello" } } });
    }
    common_json input = {
        { "messages", common_json::array({ message }) },
        { "bos_token", tmpl.bos_token() },
        { "eos_token", tmpl.eos_token() },
        { "add_generation_prompt", true },
    };
    if (enable_thinking != nullptr) {
        input["enable_thinking"] = *enable_thinking;
    }
    jinja::global_from_json(context, input, false);
    jinja::runtime runtime(context);
    return jinja::runtime::gather_string_parts(runtime.execute(tmpl.prog))->as_string().str();
}

/**
 * Finds out what the template does where nobody sets `enable_thinking`. llama.cpp always sets it, to true unless told otherwise, which
 * turns thinking on in templates whose own default is off. So the template is asked, by rendering it without the variable: mostly
 * that equals one of the two values, and that value is used; where it is a third thing, a copy is kept in which the variable has been
 * set to something undefined.
 */
void find_thinking_default(dbs_templates & templates, const llama_model * model) {
    try {
        const common_chat_template tmpl(templates.source, std::string(), std::string());
        const bool                 on     = true;
        const bool                 off    = false;
        const std::string          unsaid = render_greeting(tmpl, nullptr);
        if (unsaid == render_greeting(tmpl, &on)) {
            return;
        }
        if (unsaid == render_greeting(tmpl, &off)) {
            templates.thinks_by_default = false;
            return;
        }
        if (llama_model_chat_template(model, "tool_use") == nullptr) {
            templates.unset = common_chat_templates_init(model, "{% set enable_thinking = dbs_undefined %}" + templates.source);
        }
    } catch (...) {
        templates.unset = nullptr; // a template that does not take a bare greeting: llama.cpp's own default
    }
}

/** Reads `chat_template_kwargs`: each value as JSON text, and enable_thinking among them as the server takes it. */
int32_t read_kwargs(const std::string & text, common_chat_templates_inputs & out) {
    common_json kwargs;
    if (!read_json(text, kwargs) || !kwargs.is_object()) {
        return DBS_BAD_JSON;
    }
    for (const auto & item : kwargs.items()) {
        out.chat_template_kwargs[item.key()] = item.value().dump();
    }
    if (kwargs.contains("enable_thinking")) {
        const common_json & value = kwargs.at("enable_thinking");
        if (value.is_boolean()) {
            out.enable_thinking = value.get<bool>();
        } else if (value.is_string()) {
            return DBS_BAD_JSON;
        }
    }
    return DBS_OK;
}

std::string date(int64_t seconds, const char * format) {
    const std::time_t time = static_cast<std::time_t>(seconds);
    std::tm           parts{};
    char              text[64];
    if (localtime_r(&time, &parts) == nullptr) {
        return std::string();
    }
    return std::string(text, std::strftime(text, sizeof(text), format, &parts));
}

// Templates that show the answer's schema are given this in its place: it is parsed and written anew on its way.
const std::string stand_in_schema = R"({"const":{"dbs-schema":true}})";

void replace_all(std::string & text, const std::string & from, const std::string & to) {
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
}

/** Fills `out` from `in`, checking each JSON text on its way, and `answer` from its schema. */
int32_t read_inputs(const dbs_templates & templates, const dbs_chat_inputs & in, common_chat_templates_inputs & out, dbs::SchemaGrammar & answer) {
    common_json messages;
    if (!read_json(text_of(in.messages), messages)) {
        return DBS_BAD_JSON;
    }
    int32_t status = dbs::guarded(DBS_BAD_MESSAGES, [&]() -> int32_t {
        out.messages = common_chat_msgs_parse_oaicompat(messages);
        return out.messages.empty() ? DBS_BAD_MESSAGES : DBS_OK;
    });
    if (status != DBS_OK) {
        return status;
    }
    if (in.tools.size > 0) {
        common_json tools;
        if (!read_json(text_of(in.tools), tools)) {
            return DBS_BAD_JSON;
        }
        status = dbs::guarded(DBS_BAD_MESSAGES, [&]() -> int32_t {
            if (in.tool_choice != DBS_TOOL_NONE) { // a model that is shown tools may call them, whatever the request says
                out.tools = common_chat_tools_parse_oaicompat(tools);
            }
            return dbs::tools_are_bearable(tools) ? DBS_OK : DBS_BAD_SCHEMA;
        });
        if (status != DBS_OK) {
            return status;
        }
    }
    if (in.json_schema.size > 0) {
        common_json schema;
        if (!read_json(text_of(in.json_schema), schema)) {
            return DBS_BAD_JSON;
        }
        if (!schema.is_object() || !dbs::schema_is_bearable(schema)) {
            return DBS_BAD_SCHEMA;
        }
        status = dbs::guarded(DBS_BAD_SCHEMA, [&]() -> int32_t {
            answer          = dbs::schema_grammar(schema);
            out.json_schema = stand_in_schema;
            return DBS_OK;
        });
        if (status != DBS_OK) {
            return status;
        }
    }
    out.enable_thinking = in.enable_thinking == -1 ? templates.thinks_by_default : in.enable_thinking == 1;
    if (in.kwargs.size > 0) {
        status = read_kwargs(text_of(in.kwargs), out);
        if (status != DBS_OK) {
            return status;
        }
    }
    out.tool_choice = in.tool_choice == DBS_TOOL_REQUIRED ? COMMON_CHAT_TOOL_CHOICE_REQUIRED
                    : in.tool_choice == DBS_TOOL_NONE     ? COMMON_CHAT_TOOL_CHOICE_NONE
                                                          : COMMON_CHAT_TOOL_CHOICE_AUTO;
    out.grammar                = text_of(in.grammar);
    out.parallel_tool_calls    = in.parallel_tool_calls == 1;
    out.add_generation_prompt  = in.add_generation_prompt == 1 && in.continue_final_message == 0;
    out.reasoning_format       = in.parse_reasoning == 1 ? COMMON_REASONING_FORMAT_DEEPSEEK : COMMON_REASONING_FORMAT_NONE;
    out.continue_final_message = in.continue_final_message == 1 ? COMMON_CHAT_CONTINUATION_AUTO : COMMON_CHAT_CONTINUATION_NONE;
    out.use_jinja              = true;
    if (in.now_seconds > 0) {
        out.now = std::chrono::system_clock::from_time_t(static_cast<std::time_t>(in.now_seconds));
        // llama.cpp fills these two from the system's clock; a caller's own kwargs come before ours.
        out.chat_template_kwargs.emplace("datetime", common_json(date(in.now_seconds, "%b %d %Y")).dump());
        out.chat_template_kwargs.emplace("date_string", common_json(date(in.now_seconds, "%d %b %Y")).dump());
    }
    if (in.continue_final_message == 1 && (out.messages.back().role != "assistant" || !out.messages.back().tool_calls.empty())) {
        return DBS_BAD_MESSAGES;
    }
    return DBS_OK;
}

/** Whether a request says nothing that shapes its answer's format but the switches in request_format. */
bool has_common_format(const common_chat_templates_inputs & in) {
    if (!in.tools.empty() || !in.json_schema.empty() || !in.grammar.empty() || in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE) {
        return false;
    }
    return std::all_of(in.chat_template_kwargs.begin(), in.chat_template_kwargs.end(), [](const auto & entry) {
        return entry.first == "enable_thinking" || entry.first == "datetime" || entry.first == "date_string";
    });
}

bool is_of(const request_format & format, const common_chat_templates_inputs & in) {
    return format.enable_thinking == in.enable_thinking && format.parallel_tool_calls == in.parallel_tool_calls &&
           format.add_generation_prompt == in.add_generation_prompt && format.tool_choice == in.tool_choice &&
           format.reasoning == in.reasoning_format;
}

bool may_call(const common_chat_templates_inputs & in) {
    return !in.tools.empty() && in.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE;
}

/** Whether the analysis that has been made once holds for a request. */
bool is_ready_for(const dbs_templates & templates, const common_chat_templates_inputs & in) {
    const bool continues_nothing = in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE && in.messages.back().empty();
    return templates.analysis != nullptr && !continues_nothing && (in.tools.empty() || !templates.has_tool_template);
}

/**
 * Renders the prompt alone. Upstream's analysis of a template costs some milliseconds each time, many times what rendering costs. Its
 * readers of tools do not show in the prompt whether a tool must be called, so that with no choice its converter of schemas stays out of it.
 */
common_chat_params rendered(const dbs_templates & templates, const common_chat_templates & which, const common_chat_templates_inputs & in) {
    common_chat_templates_inputs plain = in;
    plain.tool_choice                  = COMMON_CHAT_TOOL_CHOICE_NONE;
    if (in.continue_final_message == COMMON_CHAT_CONTINUATION_NONE) {
        plain.force_pure_content = templates.analysis != nullptr;
        return common_chat_templates_apply(&which, plain);
    }
    if (!is_ready_for(templates, in)) {
        return common_chat_templates_apply(&which, plain);
    }
    plain.messages.pop_back();
    plain.continue_final_message = COMMON_CHAT_CONTINUATION_NONE;
    plain.add_generation_prompt  = false;
    plain.force_pure_content     = true;
    common_chat_params text      = common_chat_templates_apply(&which, plain);
    text.generation_prompt       = templates.analysis->continued(text.generation_prompt, in.messages.back());
    text.prompt += text.generation_prompt;
    return text;
}

/** As common_chat_templates_apply, with the analysis of the template that has been made once where there is one. */
common_chat_params analysed(const dbs_templates & templates, const common_chat_templates_inputs & in, const common_chat_params * text) {
    if (is_ready_for(templates, in)) {
        try {
            common_chat_params found = templates.analysis->apply(in);
            if (text == nullptr || found.generation_prompt == text->generation_prompt) { // the parser begins with it
                return found;
            }
        } catch (const std::bad_alloc &) {
            throw;
        } catch (...) {
            // A template that does not take our message: upstream is asked with the request's own.
        }
    }
    return common_chat_templates_apply(templates.templates.get(), in);
}

/** As common_chat_templates_apply, with the arguments of calls in our rules. */
common_chat_params apply_with_tools(const dbs_templates & templates, const common_chat_templates_inputs & in) {
    const dbs::ToolSchemas       schemas(in.tools);
    common_chat_templates_inputs stand_in = in;
    stand_in.tools                        = schemas.stand_ins();
    common_chat_params text               = rendered(templates, *templates.templates, in);
    common_chat_params params             = analysed(templates, stand_in, &text);
    schemas.enforce(params);
    params.prompt = std::move(text.prompt);
    return params;
}

std::optional<common_chat_params> known_format(dbs_templates & templates, const common_chat_templates_inputs & in, const std::string & generation_prompt) {
    std::lock_guard<std::mutex> lock(templates.mutex);
    for (const request_format & format : templates.formats) {
        if (is_of(format, in) && format.params.generation_prompt == generation_prompt) {
            return format.params;
        }
    }
    return std::nullopt;
}

void remember(dbs_templates & templates, const common_chat_templates_inputs & in, const common_chat_params & params) {
    request_format format;
    format.enable_thinking       = in.enable_thinking;
    format.parallel_tool_calls   = in.parallel_tool_calls;
    format.add_generation_prompt = in.add_generation_prompt;
    format.tool_choice           = in.tool_choice;
    format.reasoning             = in.reasoning_format;
    format.params                = params;
    std::lock_guard<std::mutex> lock(templates.mutex);
    if (std::none_of(templates.formats.begin(), templates.formats.end(), [&](const request_format & known) { return is_of(known, in); })) {
        templates.formats.push_back(std::move(format));
    }
}

/** As common_chat_templates_apply, with what does not depend on the messages found once. */
common_chat_params apply(dbs_templates & templates, const common_chat_templates_inputs & in) {
    if (may_call(in)) {
        return apply_with_tools(templates, in);
    }
    if (!is_ready_for(templates, in)) {
        return common_chat_templates_apply(templates.templates.get(), in);
    }
    common_chat_params                text      = rendered(templates, *templates.templates, in);
    const bool                        is_common = has_common_format(in);
    std::optional<common_chat_params> known     = is_common ? known_format(templates, in, text.generation_prompt) : std::nullopt;
    if (!known) {
        known = analysed(templates, in, &text);
        // A prompt is content, and stays with its request.
        if (is_common && known->prompt.empty() && known->generation_prompt == text.generation_prompt) {
            remember(templates, in, *known);
        }
    }
    known->prompt = std::move(text.prompt);
    return std::move(*known);
}

/** As rendered, where `unsaid` says that nobody set enable_thinking. */
common_chat_params rendered_as_asked(const dbs_templates & templates, const common_chat_templates_inputs & in, bool unsaid) {
    return rendered(templates, templates.unset != nullptr && unsaid ? *templates.unset : *templates.templates, in);
}

/** As apply, where `unsaid` says that nobody set enable_thinking. */
common_chat_params rendered_and_analysed(dbs_templates & templates, const common_chat_templates_inputs & in, bool unsaid) {
    common_chat_params params = apply(templates, in);
    if (templates.unset != nullptr && unsaid) {
        // Parser and grammar allow for a thought; the prompt neither opens one nor rules it out.
        common_chat_params unset = rendered_as_asked(templates, in, unsaid);
        params.prompt            = std::move(unset.prompt);
        params.generation_prompt = std::move(unset.generation_prompt);
    }
    return params;
}

/** Whether the request's tools, or the calls among its messages, need our own form. */
bool has_own_tools(dbs_templates & templates, const common_chat_templates_inputs & in) {
    if (!may_call(in) && !dbs::has_tool_messages(in.messages)) {
        return false;
    }
    std::lock_guard<std::mutex> lock(templates.mutex);
    if (templates.lacks_tools < 0) {
        templates.lacks_tools = dbs::lacks_tools(*templates.templates) ? 1 : 0;
    }
    return templates.lacks_tools == 1;
}

/** Sees to it that the prompt will show the calls among the messages, where the template shows them at all. */
void show_calls(dbs_templates & templates, common_chat_templates_inputs & in) {
    if (!dbs::has_tool_messages(in.messages) || has_own_tools(templates, in)) {
        return;
    }
    if (templates.calls_shown < 0) {
        templates.calls_shown = static_cast<int32_t>(dbs::calls_shown(*templates.templates));
    }
    dbs::show_calls(static_cast<dbs::CallsShown>(templates.calls_shown.load()), in.messages);
}

/** As rendered_and_analysed, with tools, calls and their answers written as text. */
common_chat_params with_own_tools(dbs_templates & templates, const common_chat_templates_inputs & in, bool unsaid) {
    common_chat_templates_inputs plain = in;
    dbs::write_tools_as_text(plain);
    if (!may_call(in)) {
        plain.json_schema = in.json_schema;
        return rendered_and_analysed(templates, plain, unsaid);
    }
    common_chat_params params    = rendered_and_analysed(templates, plain, unsaid);
    std::string        beginning = params.generation_prompt;
    if (in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE) {
        common_chat_templates_inputs anew = plain;
        anew.continue_final_message       = COMMON_CHAT_CONTINUATION_NONE;
        anew.add_generation_prompt        = true;
        beginning                         = rendered(templates, *templates.templates, anew).generation_prompt;
    }
    const dbs::ToolSchemas       schemas(in.tools);
    common_chat_templates_inputs stand_in = in;
    stand_in.tools                        = schemas.stand_ins();
    dbs::expect_calls_as_text(params, stand_in, beginning);
    schemas.enforce(params);
    return params;
}

common_chat_params as_asked(dbs_templates & templates, const common_chat_templates_inputs & in, bool unsaid) {
    return has_own_tools(templates, in) ? with_own_tools(templates, in, unsaid) : rendered_and_analysed(templates, in, unsaid);
}

/** The prompt of a request whose format is another one's. */
std::string prompt_for(dbs_templates & templates, common_chat_templates_inputs in, bool unsaid) {
    if (has_own_tools(templates, in)) {
        const std::string schema = in.json_schema;
        dbs::write_tools_as_text(in);
        in.json_schema = schema;
    }
    return rendered_as_asked(templates, in, unsaid).prompt;
}

/** A grammar of calls alone, from the first mark of the first call on; empty where none can be had. */
std::string grammar_of_calls(dbs_templates & templates, const common_chat_templates_inputs & in, bool unsaid) {
    common_chat_templates_inputs calling = in;
    calling.json_schema.clear();
    calling.continue_final_message = COMMON_CHAT_CONTINUATION_NONE;
    if (calling.messages.back().role == "assistant") {
        calling.messages.pop_back();
    }
    if (has_own_tools(templates, calling)) {
        calling.tool_choice = COMMON_CHAT_TOOL_CHOICE_AUTO;
        return with_own_tools(templates, calling, unsaid).grammar;
    }
    // Where a call is voluntary some formats would take none at all for a call.
    calling.tool_choice = COMMON_CHAT_TOOL_CHOICE_REQUIRED;
    const dbs::ToolSchemas schemas(calling.tools);
    calling.tools               = schemas.stand_ins();
    common_chat_params required = common_chat_templates_apply(templates.templates.get(), calling);
    required.grammar_lazy       = true;
    schemas.enforce(required);
    return required.grammar;
}

/** Where the prompt leaves an answer's thought. */
dbs::Thought thought_of(const dbs_templates & templates, const common_chat_templates_inputs & in, const common_chat_params & params) {
    if (in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE && !in.messages.back().render_content().empty()) {
        return dbs::Thought::none;
    }
    const size_t open = params.thinking_start_tag.empty() ? std::string::npos : params.generation_prompt.rfind(params.thinking_start_tag);
    if (open == std::string::npos) {
        const bool may_think = in.enable_thinking || !templates.reads_thinking;
        return params.supports_thinking && may_think ? dbs::Thought::may_come : dbs::Thought::none;
    }
    for (const std::string & tag : params.thinking_end_tags) {
        if (params.generation_prompt.find(tag, open) != std::string::npos) {
            return dbs::Thought::none;
        }
    }
    return dbs::Thought::is_open;
}

/** Whether an answer is held to a grammar from its first token on, and not only from where a call begins. */
bool is_held(const common_chat_templates_inputs & in) {
    return !in.json_schema.empty() ||
           (may_call(in) && in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED && in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE);
}

/**
 * The format of an answer that is JSON under a schema, or a call where tools may be called. Upstream's own formats for that differ: some leave
 * the schema or the tools out, some cannot begin within a message. Here the answer is read as any other is, and our grammar holds it.
 */
common_chat_params held(dbs_templates & templates, const common_chat_templates_inputs & in, const dbs::SchemaGrammar & schema, bool unsaid,
                        dbs_chat & chat) {
    common_chat_templates_inputs free = in;
    free.json_schema.clear();
    if (free.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED) {
        free.tool_choice = COMMON_CHAT_TOOL_CHOICE_AUTO;
    }
    common_chat_params params = as_asked(templates, free, unsaid);
    params.prompt             = prompt_for(templates, in, unsaid);

    if (params.supports_thinking && params.thinking_start_tag.empty() && templates.source.find("to=self") != std::string::npos) {
        params.thinking_start_tag = " to=self<|message|>"; // a thought is addressed, not tagged
        params.thinking_end_tags  = { "<|eom|>" };
    }

    dbs::AnswerParts parts;
    parts.thought   = thought_of(templates, in, params);
    parts.continues = in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE && !in.messages.back().render_content().empty();
    parts.schema    = schema.start;
    parts.content   = dbs::content_marks(*templates.templates, params);
    if (!schema.start.empty()) {
        chat.begun    = parts.continues ? in.messages.back().render_content() : "";
    }
    if (schema.start.empty() && parts.continues && !parts.content.open.empty()) {
        throw std::invalid_argument("a call is no part of a message in this format");
    }
    if (may_call(in)) {
        parts.calls = grammar_of_calls(templates, in, unsaid);
    }
    params.grammar      = dbs::answer_grammar(params, parts) + schema.rules;
    params.grammar_lazy = false;
    chat.is_held        = true;
    return params;
}

/**
 * Renders the prompt once more where the request's own texts hold the text of a control token, so that it is known which were the
 * template's. Only the prompt is taken from that: names and schemas in the grammar stay what they are.
 */
void tell_input_apart(dbs_templates & templates, const common_chat_templates_inputs & in, bool unsaid, dbs_chat & chat) {
    std::vector<std::string> thought = chat.params.thinking_end_tags;
    thought.push_back(chat.params.thinking_start_tag);
    dbs::InputMarks              marks(templates.controls, std::move(thought));
    common_chat_templates_inputs marked = in;
    if (!marks.put(marked)) {
        return;
    }
    marked.json_schema.clear();
    marked.grammar.clear();
    show_calls(templates, marked);
    if (has_own_tools(templates, marked)) {
        dbs::write_tools_as_text(marked);
    }
    chat.params.prompt = rendered_as_asked(templates, marked, unsaid).prompt;
    chat.plain                = marks.take(chat.params.prompt);
}

/** A pattern that must match all that came so far. */
std::string anchored(const std::string & pattern) {
    if (pattern.empty()) {
        return "^$";
    }
    return (pattern.front() == '^' ? "" : "^") + pattern + (pattern.back() == '$' ? "" : "$");
}

/** A text's tokens, without the space that some tokenizers put before a leading special token. */
std::vector<int32_t> without_leading_space(const std::string & prompt, const llama_vocab * vocab) {
    if (prompt.empty()) {
        return {};
    }
    std::vector<int32_t> tokens = dbs::tokens_of(vocab, prompt);
    if (!tokens.empty()) {
        const std::string piece = dbs::piece_of(vocab, tokens.front());
        const auto        space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
        if (!piece.empty() && space(piece.front()) && !space(prompt.front())) {
            tokens.erase(tokens.begin());
        }
    }
    return tokens;
}

std::unique_ptr<dbs::Constraint> lazy_rules(const dbs_chat & chat, const llama_vocab * vocab) {
    std::vector<dbs::Trigger> triggers;
    std::vector<llama_token>  tokens;
    for (const common_grammar_trigger & trigger : chat.params.grammar_triggers) {
        switch (trigger.type) {
            case COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN:
                tokens.push_back(trigger.token);
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_WORD: {
                // A word that is one token is watched for as a token: its text may also be produced letter by letter, as content.
                const std::vector<int32_t> word = dbs::tokens_of(vocab, trigger.value);
                if (word.size() == 1 && std::binary_search(chat.preserved.begin(), chat.preserved.end(), word.front())) {
                    tokens.push_back(word.front());
                } else {
                    triggers.push_back({ true, trigger.value });
                }
                break;
            }
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN:
                triggers.push_back({ false, trigger.value });
                break;
            case COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL:
                triggers.push_back({ false, anchored(trigger.value) });
                break;
        }
    }
    return dbs::Constraint::compile_lazy(vocab, chat.grammar, std::move(tokens), triggers);
}

/** Follows the thought's tags, so that a lazy grammar sleeps inside it; NULL when the format has none. */
llama_sampler * thought_watch(const dbs_chat & chat, const llama_vocab * vocab) {
    std::vector<std::vector<llama_token>> ends;
    for (const std::string & tag : chat.params.thinking_end_tags) {
        if (!tag.empty()) {
            ends.push_back(dbs::tokens_of(vocab, tag));
        }
    }
    if (chat.params.thinking_start_tag.empty() || ends.empty()) {
        return nullptr;
    }
    llama_sampler * watch = common_reasoning_budget_init(vocab, { dbs::tokens_of(vocab, chat.params.thinking_start_tag) }, ends, ends.front(), INT_MAX);
    for (const int32_t token : without_leading_space(chat.params.generation_prompt, vocab)) {
        llama_sampler_accept(watch, token);
    }
    return watch;
}

/** Keeps calls and the end out of a thought. */
std::unique_ptr<dbs::ThoughtGuard> thought_guard(const dbs_chat & chat, const llama_vocab * vocab) {
    std::vector<std::string> openings = chat.openings;
    for (const common_grammar_trigger & trigger : chat.params.grammar_triggers) {
        if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
            openings.push_back(trigger.value);
        } else if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN) {
            openings.push_back(dbs::piece_of(vocab, trigger.token));
        }
    }
    return std::make_unique<dbs::ThoughtGuard>(vocab, openings, chat.params.thinking_end_tags);
}

/** Whether the answer may begin with a thought: one that the prompt has neither opened nor ruled out. */
bool may_open_a_thought(const common_chat_templates_inputs & in, const common_chat_params & params) {
    const bool is_open = !params.thinking_start_tag.empty() && params.generation_prompt.find(params.thinking_start_tag) != std::string::npos;
    return params.supports_thinking && in.enable_thinking && !is_open;
}

/**
 * Finds what an answer must begin with where a call is required. The format's grammar lets any amount of content come before the call
 * and only forbids the end, so a model that would rather talk talks until its tokens are spent. The words that would trigger the
 * grammar of a voluntary call are the words that a call begins with; where there are none, those that end content. Not for formats
 * whose triggers are patterns, nor where the model may open a thought that has no tag.
 */
std::vector<std::string> openings_of_a_call(const dbs_templates & templates, const common_chat_templates_inputs & in, const common_chat_params & params) {
    if (params.grammar.empty() || (may_open_a_thought(in, params) && params.thinking_start_tag.empty())) {
        return {};
    }
    common_chat_templates_inputs voluntary = in;
    voluntary.tools                        = dbs::ToolSchemas(in.tools).stand_ins();
    voluntary.tool_choice                  = COMMON_CHAT_TOOL_CHOICE_AUTO;
    std::vector<std::string> words;
    for (const common_grammar_trigger & trigger : analysed(templates, voluntary, nullptr).grammar_triggers) {
        if (trigger.type != COMMON_GRAMMAR_TRIGGER_TYPE_WORD || trigger.value.empty()) {
            return {};
        }
        words.push_back(trigger.value);
    }
    if (words.empty() && !params.parser.empty()) {
        common_peg_arena parser;
        parser.load(params.parser);
        words = dbs::ends_of_text(parser, common_chat_peg_builder::CONTENT);
    }
    return words;
}

std::string quoted(const std::string & word) {
    std::string text = "\"";
    for (const char c : word) {
        if (c == '\n') {
            text += "\\n";
        } else {
            text += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        }
    }
    return text + '"';
}

/**
 * A grammar of one of the words, after a line break or two, and anything behind it. `thought`, where it is not empty, may stand before the word: it
 * opens a thought, in which the grammar sleeps.
 */
std::unique_ptr<dbs::Constraint> opening_rules(const std::vector<std::string> & words, const std::string & thought, const llama_vocab * vocab) {
    std::string choice;
    for (const std::string & word : words) {
        choice += (choice.empty() ? "" : " | ") + quoted(word);
    }
    const std::string before = thought.empty() ? "" : "(" + quoted(thought) + " [\\n]{0,2})? ";
    return dbs::Constraint::compile(vocab, "root ::= [\\n]{0,2} " + before + "(" + choice + ") .*");
}

} // namespace

// ---- text results

void dbs_text_get(const dbs_text * text, dbs_slice * out) {
    if (out == nullptr) {
        return;
    }
    *out = text != nullptr ? dbs_slice{ text->text.data(), text->text.size() } : dbs_slice{ nullptr, 0 };
}

void dbs_text_free(dbs_text * text) {
    delete text;
}

int32_t dbs_schema_to_grammar(const char * schema, size_t size, dbs_text ** out) {
    if (schema == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::on_deep_stack(DBS_BAD_SCHEMA, [&]() -> int32_t {
        common_json json;
        if (!read_json(std::string(schema, size), json)) {
            return DBS_BAD_JSON;
        }
        if (!json.is_object() || !dbs::schema_is_bearable(json)) {
            return DBS_BAD_SCHEMA;
        }
        const dbs::SchemaGrammar grammar = dbs::schema_grammar(json);
        auto                     text    = std::make_unique<dbs_text>();
        text->text                       = "root ::= " + grammar.start + "\n" + grammar.rules;
        *out                             = text.release();
        return DBS_OK;
    });
}

int32_t dbs_schema_check(const char * schema, size_t size, dbs_text ** out) {
    if (schema == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::on_deep_stack(DBS_BAD_SCHEMA, [&]() -> int32_t {
        common_json json;
        if (!read_json(std::string(schema, size), json)) {
            return DBS_BAD_JSON;
        }
        if (!json.is_object() || !dbs::schema_is_bearable(json)) {
            return DBS_BAD_SCHEMA;
        }
        auto text  = std::make_unique<dbs_text>();
        text->text = dbs::schema_grammar(json).ignored;
        if (text->text.empty()) {
            return DBS_OK;
        }
        *out = text.release();
        return DBS_BAD_SCHEMA;
    });
}

// ---- templates

int32_t dbs_templates_new(const struct llama_model * model, const char * source, size_t size, dbs_templates ** out) {
    if (model == nullptr || out == nullptr || (source == nullptr && size > 0)) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::on_deep_stack(DBS_BAD_TEMPLATE, [&]() -> int32_t {
        auto templates               = std::make_unique<dbs_templates>();
        templates->vocab             = llama_model_get_vocab(model);
        templates->templates         = common_chat_templates_init(model, size > 0 ? std::string(source, size) : std::string());
        templates->source            = common_chat_templates_source(templates->templates.get());
        templates->controls          = dbs::control_texts(templates->vocab);
        templates->explicit_template = common_chat_templates_was_explicit(templates->templates.get());
        templates->reads_thinking    = templates->source.find("enable_thinking") != std::string::npos;
        templates->has_tool_template = llama_model_chat_template(model, "tool_use") != nullptr && size == 0;
        templates->analysis          = dbs::TemplateAnalysis::of(templates->source, templates->vocab);
        if (templates->reads_thinking) {
            find_thinking_default(*templates, model);
        }
        *out = templates.release();
        return DBS_OK;
    });
}

void dbs_templates_free(dbs_templates * templates) {
    delete templates;
}

int32_t dbs_templates_caps(const dbs_templates * templates, dbs_template_caps * out) {
    if (templates == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        const auto caps = common_chat_templates_get_caps(templates->templates.get());
        const auto has  = [&](const char * name) {
            const auto found = caps.find(name);
            return found != caps.end() && found->second ? 1 : 0;
        };
        out->explicit_template            = templates->explicit_template ? 1 : 0;
        out->supports_tools               = has("supports_tools");
        out->supports_tool_calls          = has("supports_tool_calls");
        out->supports_system              = has("supports_system_role");
        out->supports_parallel_tool_calls = has("supports_parallel_tool_calls");
        out->supports_thinking            = templates->reads_thinking ? 1 : 0;
        return DBS_OK;
    });
}

int32_t dbs_templates_source(const dbs_templates * templates, dbs_slice * out) {
    if (templates == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = { templates->source.data(), templates->source.size() };
    return DBS_OK;
}

// ---- one request

int32_t dbs_chat_apply(dbs_templates * templates, const dbs_chat_inputs * inputs, dbs_chat ** out) {
    if (templates == nullptr || inputs == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    if (!is_whole(inputs->messages) || !is_whole(inputs->tools) || !is_whole(inputs->json_schema) || !is_whole(inputs->grammar) ||
        !is_whole(inputs->kwargs) || inputs->tool_choice < DBS_TOOL_AUTO || inputs->tool_choice > DBS_TOOL_NONE ||
        inputs->enable_thinking < -1 || inputs->enable_thinking > 1 || !is_flag(inputs->parallel_tool_calls) ||
        !is_flag(inputs->add_generation_prompt) || !is_flag(inputs->parse_reasoning) || !is_flag(inputs->continue_final_message) ||
        (inputs->grammar.size > 0 && inputs->json_schema.size > 0)) {
        return DBS_INVALID_ARGUMENT;
    }
    return dbs::on_deep_stack(DBS_INTERNAL, [&]() -> int32_t {
        common_chat_templates_inputs in;
        dbs::SchemaGrammar           answer;
        int32_t                      status = read_inputs(*templates, *inputs, in, answer);
        if (status != DBS_OK) {
            return status;
        }
        if (!in.grammar.empty() && may_call(in)) {
            return DBS_INVALID_ARGUMENT; // two grammars for one answer
        }
        if (in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED && !in.tools.empty()) {
            in.json_schema.clear(); // it is for content, and there will be none
            answer = {};
        }
        dbs::fill_empty_arguments(in.messages);
        if (!has_own_tools(*templates, in) && !dbs::fit_calls(*templates, in.messages)) {
            return DBS_BAD_MESSAGES;
        }
        auto chat = std::make_unique<dbs_chat>();
        status    = dbs::guarded(DBS_BAD_TEMPLATE, [&]() -> int32_t {
            const bool unsaid = inputs->enable_thinking == -1 && in.chat_template_kwargs.count("enable_thinking") == 0;
            try {
                common_chat_templates_inputs shown = in;
                show_calls(*templates, shown);
                chat->params = is_held(shown) ? held(*templates, shown, answer, unsaid, *chat) : as_asked(*templates, shown, unsaid);
            } catch (const dbs::NoGrammar &) {
                return DBS_BAD_SCHEMA; // of a tool
            }
            if (!in.json_schema.empty()) {
                replace_all(chat->params.prompt, common_json::parse(stand_in_schema).dump(), text_of(inputs->json_schema));
            }
            tell_input_apart(*templates, in, unsaid, *chat);
            return DBS_OK;
        });
        if (status != DBS_OK) {
            return status;
        }
        if (!chat->is_held && in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED && !in.tools.empty() && !has_own_tools(*templates, in)) {
            chat->openings        = openings_of_a_call(*templates, in, chat->params);
            chat->opening_thought = may_open_a_thought(in, chat->params) ? chat->params.thinking_start_tag : std::string();
        }
        chat->reasoning          = in.reasoning_format;
        chat->continues          = in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE;
        chat->grammar_is_callers = !in.grammar.empty();
        chat->grammar            = chat->grammar_is_callers ? in.grammar : chat->params.grammar;
        if (chat->grammar_is_callers) {
            chat->params.grammar_lazy = false;
        } else if (chat->params.grammar_lazy && chat->params.grammar_triggers.empty()) {
            chat->grammar.clear(); // it could never begin
        }
        for (const std::string & text : chat->params.preserved_tokens) {
            const std::vector<int32_t> tokens = dbs::tokens_of(templates->vocab, text);
            if (tokens.size() == 1) {
                chat->preserved.push_back(tokens.front());
            }
        }
        std::sort(chat->preserved.begin(), chat->preserved.end());
        *out = chat.release();
        return DBS_OK;
    });
}

void dbs_chat_free(dbs_chat * chat) {
    delete chat;
}

void dbs_chat_get_info(const dbs_chat * chat, dbs_chat_info * out) {
    if (chat == nullptr || out == nullptr) {
        return;
    }
    *out                   = {};
    out->format            = static_cast<int32_t>(chat->params.format);
    out->has_grammar       = chat->grammar.empty() ? 0 : 1;
    out->grammar_lazy      = !chat->grammar.empty() && chat->params.grammar_lazy ? 1 : 0;
    out->supports_thinking = chat->params.supports_thinking ? 1 : 0;
    out->n_stops           = static_cast<int32_t>(chat->params.additional_stops.size());
}

void dbs_chat_prompt(const dbs_chat * chat, dbs_slice * out) {
    if (out == nullptr) {
        return;
    }
    *out = chat != nullptr ? dbs_slice{ chat->params.prompt.data(), chat->params.prompt.size() } : dbs_slice{ nullptr, 0 };
}

int32_t dbs_chat_stop(const dbs_chat * chat, int32_t index, dbs_slice * out) {
    if (chat == nullptr || out == nullptr || index < 0 || static_cast<size_t>(index) >= chat->params.additional_stops.size()) {
        return DBS_INVALID_ARGUMENT;
    }
    const std::string & stop = chat->params.additional_stops[static_cast<size_t>(index)];
    *out                     = { stop.data(), stop.size() };
    return DBS_OK;
}

int32_t dbs_chat_tokenize(const dbs_chat * chat, const struct llama_vocab * vocab, int32_t * tokens, int32_t max_tokens, int32_t * n_tokens) {
    if (chat == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    // Where the vocabulary adds BOS, the renderer has already taken it off the text.
    return dbs::tokenize(vocab, chat->params.prompt, tokens, max_tokens, true, true, chat->plain, n_tokens);
}

int32_t dbs_chat_grammar(const dbs_chat * chat, const struct llama_vocab * vocab, dbs_grammar ** out) {
    if (chat == nullptr || vocab == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    if (chat->grammar.empty()) {
        return DBS_OK;
    }
    return dbs::on_deep_stack(DBS_BAD_GRAMMAR, [&]() -> int32_t {
        if (!dbs::gbnf_is_safe(chat->grammar)) {
            return DBS_BAD_GRAMMAR;
        }
        auto grammar   = std::make_unique<dbs_grammar>();
        grammar->lazy  = chat->params.grammar_lazy;
        grammar->rules = grammar->lazy ? lazy_rules(*chat, vocab) : dbs::Constraint::compile(vocab, chat->grammar);
        if (grammar->rules == nullptr) {
            return DBS_BAD_GRAMMAR;
        }
        if (!chat->openings.empty()) {
            grammar->opening = opening_rules(chat->openings, chat->opening_thought, vocab);
        }
        if (grammar->lazy || grammar->opening != nullptr) {
            grammar->thinking = thought_watch(*chat, vocab);
            grammar->thought  = grammar->thinking != nullptr ? thought_guard(*chat, vocab) : nullptr;
        }
        if (!grammar->lazy && !chat->grammar_is_callers) {
            // The format's grammar describes the whole turn, of which the template has already written the beginning; a held one's, the content.
            for (const int32_t token : without_leading_space(chat->is_held ? chat->begun : chat->params.generation_prompt, vocab)) {
                if (llama_vocab_is_eog(vocab, token)) {
                    return DBS_BAD_GRAMMAR; // it has no place within an answer
                }
                grammar->rules->accept(token);
            }
        }
        *out = grammar.release();
        return DBS_OK;
    });
}

int32_t dbs_chat_preserves(const dbs_chat * chat, const struct llama_vocab *, int32_t token) {
    return chat != nullptr && std::binary_search(chat->preserved.begin(), chat->preserved.end(), token) ? 1 : 0;
}
