#include "template_analysis.h"

#include <new>

#include "vocab.h"

namespace dbs {

namespace {

std::string trimmed(const std::string & text) {
    const char * const spaces = " \t\n\v\f\r";
    const size_t       begin  = text.find_first_not_of(spaces);
    return begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

/** As upstream tells which part of a message goes on. */
bool continues_a_thought(const common_chat_msg & message) {
    return !message.reasoning_content.empty() && message.content.empty() && message.content_parts.empty();
}

common_json greeting() {
    return common_json::array({ common_json{ { "role", "user" }, { "content", "Hello" } } });
}

} // namespace

TemplateAnalysis::TemplateAnalysis(const std::string & source, const llama_vocab * vocab)
    // Without the tokens for the text's begin and a turn's end: upstream's analysis takes the latter for one of a call's marks in templates that
    // write calls' ids (Mistral Small 3.2: arguments were to begin with the mark that stands before them, twice). Its own tests have none.
    : template_(source, "", ""),
      add_bos_(llama_vocab_get_add_bos(vocab)), add_eos_(llama_vocab_get_add_eos(vocab)) {
    found_.analyze_template(template_);
}

std::unique_ptr<const TemplateAnalysis> TemplateAnalysis::of(const std::string & source, const llama_vocab * vocab) {
    try {
        const common_chat_template    text(source, "", "");
        autoparser::generation_params params;
        params.messages = greeting();
        if (common_chat_try_specialized_template(text, source, params).has_value()) {
            return nullptr; // such a reader may look at the messages
        }
        return std::unique_ptr<const TemplateAnalysis>(new TemplateAnalysis(source, vocab));
    } catch (const std::bad_alloc &) {
        throw;
    } catch (...) {
        return nullptr;
    }
}

std::string TemplateAnalysis::continued(const std::string & generation_prompt, const common_chat_msg & message) const {
    const bool  is_thought = continues_a_thought(message);
    std::string text       = generation_prompt;
    if (!found_.reasoning.start.empty()) {
        text = text.substr(0, text.find(found_.reasoning.start)) + found_.reasoning.start + message.reasoning_content +
               (is_thought ? "" : found_.reasoning.end);
    }
    return is_thought ? text : text + message.render_content();
}

common_chat_params TemplateAnalysis::apply(const common_chat_templates_inputs & in) const {
    // As common_chat_templates_apply does it, from the tools on.
    autoparser::generation_params params;
    params.messages              = greeting();
    params.tools                 = common_chat_tools_to_json_oaicompat(in.tools);
    params.tool_choice           = in.tool_choice;
    params.reasoning_format      = in.reasoning_format;
    params.enable_thinking       = in.enable_thinking;
    params.grammar               = in.grammar;
    params.now                   = in.now;
    params.add_generation_prompt = in.add_generation_prompt;
    params.add_bos               = add_bos_;
    params.add_eos               = add_eos_;
    params.parallel_tool_calls   = in.parallel_tool_calls;
    params.extra_context         = common_json::object();
    for (const auto & [name, value] : in.chat_template_kwargs) {
        params.extra_context[name] = common_json::parse(value);
    }
    if (!in.json_schema.empty()) {
        params.json_schema = common_json::parse(in.json_schema);
    }
    if (in.continue_final_message != COMMON_CHAT_CONTINUATION_NONE) {
        params.add_generation_prompt  = false;
        params.continue_msg           = in.messages.back();
        params.continue_final_message = continues_a_thought(params.continue_msg) ? COMMON_CHAT_CONTINUATION_REASONING : COMMON_CHAT_CONTINUATION_CONTENT;
    }
    common_chat_params result = autoparser::peg_generator::generate_parser(template_, params, found_);
    result.prompt.clear();
    if (!found_.assistant_start.empty()) {
        result.message_delimiters.add(COMMON_CHAT_ROLE_ASSISTANT, found_.assistant_start);
    }
    if (!found_.user_start.empty()) {
        result.message_delimiters.add(COMMON_CHAT_ROLE_USER, found_.user_start);
    }
    result.supports_thinking = found_.reasoning.mode != autoparser::reasoning_mode::NONE;
    if (result.supports_thinking) {
        result.thinking_start_tag = trimmed(found_.reasoning.start);
        const std::string end     = trimmed(found_.reasoning.end);
        if (!end.empty()) {
            result.thinking_end_tags = { end };
        }
    }
    return result;
}

} // namespace dbs
