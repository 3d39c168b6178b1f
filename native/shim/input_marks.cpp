#include "input_marks.h"

#include <algorithm>
#include <random>

#include "vocab.h"

namespace dbs {

namespace {

// Digits stay what they are whatever a template does with case, spaces and quotes.
std::string random_digits() {
    std::random_device random;
    std::string        digits;
    for (int i = 0; i < 24; i++) {
        digits += static_cast<char>('1' + random() % 9);
    }
    return digits;
}

} // namespace

MarkMatcher control_texts(const llama_vocab * vocab) {
    std::vector<std::string> texts;
    const int32_t            n_tokens = llama_vocab_n_tokens(vocab);
    for (int32_t token = 0; token < n_tokens; token++) {
        // A user-defined token is read as one in plain text, too.
        if ((llama_vocab_get_attr(vocab, token) & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0) {
            std::string text = piece_of(vocab, token);
            if (text.size() > 1) {
                texts.push_back(std::move(text));
            }
        }
    }
    return MarkMatcher(texts);
}

InputMarks::InputMarks(const MarkMatcher & controls, std::vector<std::string> thought)
    : controls_(controls), thought_(std::move(thought)), open_(random_digits()), close_(random_digits()) {}

bool InputMarks::put_text(std::string & text, bool is_assistants) {
    std::vector<std::pair<size_t, size_t>> found; // rising and apart
    const auto                             add = [&](size_t begin, size_t end) {
        while (!found.empty() && found.back().second > begin) {
            begin = std::min(begin, found.back().first);
            found.pop_back();
        }
        found.emplace_back(begin, end);
    };
    controls_.reset();
    for (size_t i = 0; i < text.size(); i++) {
        const size_t size = controls_.add(text[i]);
        if (size > 0) {
            const size_t begin   = i + 1 - size;
            const bool   is_kept = is_assistants && std::find(thought_.begin(), thought_.end(), text.substr(begin, size)) != thought_.end();
            if (!is_kept) {
                add(begin, i + 1);
            }
        }
    }
    // What stands at the end may be the beginning of one that the next text ends.
    if (controls_.begun() > 0 && (found.empty() || found.back().second < text.size())) {
        add(text.size() - controls_.begun(), text.size());
    }
    if (found.empty()) {
        return false;
    }
    std::string marked;
    size_t      at = 0;
    for (const auto & [begin, end] : found) {
        marked += text.substr(at, begin - at) + open_ + text.substr(begin, end - begin) + close_;
        at = end;
    }
    text = marked + text.substr(at);
    return true;
}

/** As put_text for JSON text, whose strings may spell a control token with escapes. */
bool InputMarks::put_json(std::string & text) {
    const common_json json = common_json::parse_no_throw(text);
    if (json.is_discarded()) {
        return put_text(text, false);
    }
    std::string written = json.dump();
    if (!put_text(written, false)) {
        return false;
    }
    text = std::move(written);
    return true;
}

bool InputMarks::put_message(common_chat_msg & message) {
    const bool is_assistants = message.role == "assistant";
    bool       any           = put_text(message.role, false);
    any                      = put_text(message.content, is_assistants) || any;
    any                      = put_text(message.reasoning_content, is_assistants) || any;
    any                      = put_text(message.tool_name, false) || any;
    any                      = put_text(message.tool_call_id, false) || any;
    for (common_chat_msg_content_part & part : message.content_parts) {
        any = put_text(part.text, is_assistants) || any;
    }
    for (common_chat_tool_call & call : message.tool_calls) {
        any = put_text(call.name, false) || any;
        any = put_text(call.id, false) || any;
        any = put_json(call.arguments) || any;
    }
    return any;
}

bool InputMarks::put(common_chat_templates_inputs & in) {
    bool any = false;
    for (common_chat_msg & message : in.messages) {
        any = put_message(message) || any;
    }
    for (common_chat_tool & tool : in.tools) {
        any = put_text(tool.name, false) || any;
        any = put_text(tool.description, false) || any;
        any = put_json(tool.parameters) || any;
    }
    for (auto & [name, value] : in.chat_template_kwargs) {
        any = put_json(value) || any;
    }
    return any;
}

std::vector<std::pair<size_t, size_t>> InputMarks::take(std::string & prompt) const {
    std::vector<std::pair<size_t, size_t>> plain;
    std::string                            text;
    size_t                                 begin = std::string::npos; // of the plain text that has been opened
    for (size_t at = 0; at < prompt.size();) {
        // A template may have cut a text apart; then a mark is without its other half.
        if (prompt.compare(at, open_.size(), open_) == 0) {
            begin = text.size();
            at += open_.size();
        } else if (prompt.compare(at, close_.size(), close_) == 0) {
            if (begin != std::string::npos && begin < text.size()) {
                plain.emplace_back(begin, text.size());
            }
            begin = std::string::npos;
            at += close_.size();
        } else {
            text += prompt[at++];
        }
    }
    prompt = std::move(text);
    return plain;
}

} // namespace dbs
