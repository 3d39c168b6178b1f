#include "call_history.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <new>
#include <string>

namespace dbs {

namespace {

constexpr size_t       short_id         = 9;
constexpr const char * probe_name       = "dbs_probe_of_calls";
constexpr const char * whole_arguments  = R"({"city": "dbs_whole"})";
constexpr const char * whole_value      = "dbs_whole";
constexpr const char * broken_text      = "dbs_broken";
constexpr const char * broken_arguments = R"({"dbs_broken": "Ber)";

bool is_blank(const std::string & text) {
    return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isspace(c) != 0; });
}

bool is_json(const std::string & text) {
    return !common_json::parse_no_throw(text).is_discarded();
}

std::string as_string(const std::string & text) {
    return common_json(text).dump();
}

/** What the template makes of a call and its answer; empty where it refuses them. */
std::string rendered_call(const dbs_templates & templates, const std::string & id, const std::string & arguments) {
    common_chat_msg question;
    question.role    = "user";
    question.content = "Weather?";
    common_chat_msg call;
    call.role       = "assistant";
    call.tool_calls = { { probe_name, arguments, id } };
    common_chat_msg answer;
    answer.role         = "tool";
    answer.content      = "sunny";
    answer.tool_name    = probe_name;
    answer.tool_call_id = id;
    common_chat_templates_inputs in;
    in.messages           = { question, call, answer };
    in.tools              = { { probe_name, "Does nothing.", R"({"type":"object","properties":{"city":{"type":"string"}}})" } };
    in.tool_choice        = COMMON_CHAT_TOOL_CHOICE_NONE;
    in.force_pure_content = templates.analysis != nullptr;
    try {
        return common_chat_templates_apply(templates.templates.get(), in).prompt;
    } catch (const std::bad_alloc &) {
        throw;
    } catch (...) {
        return std::string();
    }
}

bool wants_short_ids(dbs_templates & templates) {
    if (templates.short_ids < 0) {
        const bool takes_long = !rendered_call(templates, "call_dbsDBSdbsDBSdbsDBSdbsDB", whole_arguments).empty();
        templates.short_ids   = !takes_long && !rendered_call(templates, "dbs123456", whole_arguments).empty() ? 1 : 0;
    }
    return templates.short_ids == 1;
}

BrokenArguments takes_broken(dbs_templates & templates) {
    if (templates.broken_arguments == BrokenArguments::unknown) {
        // Some templates leave calls out of the prompt, whatever their arguments are.
        const bool shows_calls = rendered_call(templates, "dbs123456", whole_arguments).find(whole_value) != std::string::npos;
        const auto shows       = [&](const std::string & arguments) {
            const std::string prompt = rendered_call(templates, "dbs123456", arguments);
            return !prompt.empty() && (!shows_calls || prompt.find(broken_text) != std::string::npos);
        };
        templates.broken_arguments = shows(broken_arguments)             ? BrokenArguments::as_they_are
                                   : shows(as_string(broken_arguments)) ? BrokenArguments::as_string
                                                                        : BrokenArguments::refused;
    }
    return templates.broken_arguments;
}

/** Nine letters and digits that stand for an id: itself where it is such, otherwise its hash. */
std::string shortened(const std::string & id) {
    static constexpr char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const bool is_short = id.size() == short_id && std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) != 0; });
    if (is_short) {
        return id;
    }
    uint64_t hash = 14695981039346656037u; // FNV-1a, whose low bits alone mix too little
    for (const char c : id) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    }
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    hash ^= hash >> 31;
    std::string text;
    for (size_t i = 0; i < short_id; i++) {
        text += digits[hash % 62];
        hash /= 62;
    }
    return text;
}

} // namespace

void fill_empty_arguments(std::vector<common_chat_msg> & messages) {
    for (common_chat_msg & message : messages) {
        for (common_chat_tool_call & call : message.tool_calls) {
            if (is_blank(call.arguments)) {
                call.arguments = "{}";
            }
        }
    }
}

bool fit_calls(dbs_templates & templates, std::vector<common_chat_msg> & messages) {
    for (common_chat_msg & message : messages) {
        for (common_chat_tool_call & call : message.tool_calls) {
            if (wants_short_ids(templates)) {
                call.id = shortened(call.id);
            }
            if (is_json(call.arguments)) {
                continue;
            }
            switch (takes_broken(templates)) {
                case BrokenArguments::unknown:
                case BrokenArguments::as_they_are:
                    break;
                case BrokenArguments::as_string:
                    call.arguments = as_string(call.arguments);
                    break;
                case BrokenArguments::refused:
                    return false;
            }
        }
        if (message.role == "tool" && wants_short_ids(templates)) {
            message.tool_call_id = shortened(message.tool_call_id);
        }
    }
    return true;
}

} // namespace dbs
