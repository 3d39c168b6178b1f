// The answer's text, piece by piece, to reasoning, content and tool calls.
//
// Upstream's parser reads a whole text, so each piece reads the answer again from its beginning; what it finds now and had not handed
// out before becomes a delta. A partial text may parse to less than an earlier one did, or not at all: then nothing is new.

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "guard.h"
#include "request.h"

namespace {

// Upstream's parser recurses with the brackets of what the model writes; no tool's arguments nest that deep.
constexpr int max_depth = 200;

/** How much of one tool call has been handed out. */
struct CallProgress {
    bool   begun           = false;
    size_t arguments_bytes = 0;
};

// Text with what formats mark their parts with: a parser that returns it as it is has nothing to find.
constexpr const char * plain_text = "\n <think>a</think> [x] {\"name\": 1}\n<tool_call>b</tool_call> ```json\n<|c|> d\n";

std::string new_call_id() {
    static constexpr char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    std::random_device    random;
    std::string           id = "call_";
    for (int i = 0; i < 24; i++) {
        id += alphabet[random() % (sizeof(alphabet) - 1)];
    }
    return id;
}

/** Whether the first `size` bytes, which were handed out, are still the same. */
bool keeps(const std::string & found, const std::string & before, size_t size) {
    return found.size() >= size && found.compare(0, size, before, 0, size) == 0;
}

} // namespace

struct dbs_parser {
    common_chat_parser_params syntax;
    bool                      parses_calls   = true;
    bool                      trims_newlines = false; // a thought came before: newlines that lead the content belong to its end
    bool                      is_raw         = false; // from here on everything is content
    bool                      is_finished    = false;
    std::string               probe;                  // text with whatever could end content in this format
    size_t                    next_probe     = 0;     // bytes of `raw` from which it is worth asking again whether content can still end
    int                       depth          = 0;     // brackets that are open, those in strings and prose counted too

    std::string     raw;     // all that was fed
    size_t          handed = 0; // about how much of `raw` the deltas so far account for
    common_chat_msg message; // what was found at the last feed that found something; deltas point into it

    size_t                    reasoning_bytes = 0; // handed out, the newlines that were skipped included
    size_t                    content_bytes   = 0; // likewise
    bool                      reasoning_begun = false;
    bool                      content_begun   = false;
    size_t                    calls_begun     = 0;
    std::vector<CallProgress> calls;
    std::vector<std::string>  call_ids;

    std::vector<dbs_delta> deltas;

    void add(int32_t kind, int32_t tool_index, const char * text, size_t size, const std::string * extra = nullptr) {
        dbs_delta delta  = {};
        delta.kind       = kind;
        delta.tool_index = tool_index;
        delta.text       = { text, size };
        delta.extra      = extra != nullptr ? dbs_slice{ extra->data(), extra->size() } : dbs_slice{ nullptr, 0 };
        deltas.push_back(delta);
    }

    // Remembers where in the raw text a verbatim piece ended, for the day the rest does not parse.
    void mark(const char * text, size_t size) {
        const size_t at = raw.find(text, handed, size);
        handed          = at != std::string::npos ? at + size : raw.size();
    }

    void hand_out_raw() {
        if (handed < raw.size()) {
            add(DBS_DELTA_CONTENT, 0, raw.data() + handed, raw.size() - handed);
            handed = raw.size();
        }
    }

    /** What `found` holds beyond what was handed out; false, and nothing changed, when it contradicts that. */
    bool advance(common_chat_msg && found, bool is_final) {
        if (found.tool_calls.size() < calls_begun || !keeps(found.reasoning_content, message.reasoning_content, reasoning_bytes) ||
            !keeps(found.content, message.content, content_bytes)) {
            return false;
        }
        for (size_t i = 0; i < calls_begun; i++) {
            const common_chat_tool_call & now    = found.tool_calls[i];
            const common_chat_tool_call & before = message.tool_calls[i];
            if (now.name != before.name || !keeps(now.arguments, before.arguments, calls[i].arguments_bytes)) {
                return false;
            }
        }
        message = std::move(found);

        // Newlines around a thought belong to its tags: the first ones are skipped, later ones wait for text to follow them.
        const std::string & reasoning = message.reasoning_content;
        while (!reasoning_begun && reasoning_bytes < reasoning.size() && reasoning[reasoning_bytes] == '\n') {
            reasoning_bytes++;
        }
        const size_t reasoning_end = reasoning.find_last_not_of('\n') + 1; // 0 when there is nothing else
        if (reasoning_end > reasoning_bytes) {
            const char * text = reasoning.data() + reasoning_bytes;
            const size_t size = reasoning_end - reasoning_bytes;
            add(DBS_DELTA_REASONING, 0, text, size);
            mark(text, size);
            reasoning_bytes = reasoning_end;
            reasoning_begun = true;
        }
        if (!content_begun && trims_newlines) {
            while (content_bytes < message.content.size() && message.content[content_bytes] == '\n') {
                content_bytes++;
            }
        }
        if (message.content.size() > content_bytes) {
            const char * text = message.content.data() + content_bytes;
            const size_t size = message.content.size() - content_bytes;
            add(DBS_DELTA_CONTENT, 0, text, size);
            mark(text, size);
            content_bytes += size;
            content_begun = true;
        }
        advance_calls(is_final);
        return true;
    }

    void advance_calls(bool is_final) {
        message.set_tool_call_ids(call_ids, new_call_id);
        calls.resize(message.tool_calls.size());
        for (size_t i = 0; i < calls.size(); i++) {
            const common_chat_tool_call & call     = message.tool_calls[i];
            CallProgress &                progress = calls[i];
            if (!progress.begun) {
                // The name may still grow while the arguments are the lone brace that upstream starts them with.
                const bool settled = call.arguments.size() > 1 || i + 1 < calls.size() || is_final;
                if (!settled || call.name.empty()) {
                    break;
                }
                add(DBS_DELTA_TOOL_BEGIN, static_cast<int32_t>(i), call.name.data(), call.name.size(), &call_ids[i]);
                progress.begun = true;
                calls_begun    = i + 1;
                handed         = raw.size();
            }
            if (call.arguments.size() > progress.arguments_bytes) {
                add(DBS_DELTA_TOOL_ARGUMENTS, static_cast<int32_t>(i), call.arguments.data() + progress.arguments_bytes,
                    call.arguments.size() - progress.arguments_bytes);
                progress.arguments_bytes = call.arguments.size();
                handed                   = raw.size();
            }
        }
    }

    // Reads the whole text again; false when it does not parse or contradicts what was handed out.
    bool read(bool is_partial, bool is_final) {
        try {
            common_chat_msg found = common_chat_parse(raw, is_partial, syntax);
            if (!parses_calls && !found.tool_calls.empty()) {
                is_raw = true;
                hand_out_raw();
                return true;
            }
            return advance(std::move(found), is_final);
        } catch (const std::bad_alloc &) {
            throw;
        } catch (...) {
            return false;
        }
    }

    /**
     * Whether all that can follow is content: then nothing has to be read again for it. It is, when the format's marks behind the text so far
     * come out as they are, and all of the text so far has been handed out.
     */
    bool goes_on_as_content() {
        if (handed != raw.size() || content_bytes != message.content.size() || !message.tool_calls.empty()) {
            return false;
        }
        for (const bool is_partial : { true, false }) {
            try {
                const common_chat_msg found = common_chat_parse(raw + probe, is_partial, syntax);
                if (found.content != message.content + probe || found.reasoning_content != message.reasoning_content || !found.tool_calls.empty()) {
                    return false;
                }
            } catch (const std::bad_alloc &) {
                throw;
            } catch (...) {
                return false;
            }
        }
        return true;
    }

    bool nests_too_deep(const char * text, size_t size) {
        for (size_t i = 0; i < size && depth <= max_depth; i++) {
            if (text[i] == '[' || text[i] == '{') {
                depth++;
            } else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
                depth--;
            }
        }
        return depth > max_depth; // and stays so
    }

    int32_t feed(const char * text, size_t size, bool is_final) {
        deltas.clear();
        raw.append(text, size);
        if (is_raw) {
            hand_out_raw();
            return DBS_OK;
        }
        if (nests_too_deep(text, size)) {
            if (is_final) {
                hand_out_raw();
            }
            return is_final ? DBS_NO_PARSE : DBS_OK;
        }
        if (!is_final) {
            if (read(true, false) && content_begun && !is_raw && raw.size() >= next_probe) {
                is_raw     = goes_on_as_content();
                next_probe = 2 * raw.size();
            }
            return DBS_OK;
        }
        if (read(false, true)) {
            return DBS_OK;
        }
        read(true, true);
        hand_out_raw();
        return DBS_NO_PARSE;
    }
};

namespace {

/** Text in which every mark stands that this format could end content with. */
std::string probe_of(const common_chat_params & params) {
    std::string probe = plain_text;
    for (const std::string & token : params.preserved_tokens) {
        probe += token + " a\n";
    }
    for (const common_grammar_trigger & trigger : params.grammar_triggers) {
        probe += trigger.value + " b\n";
    }
    probe += params.thinking_start_tag + " c\n";
    for (const std::string & tag : params.thinking_end_tags) {
        probe += tag + " d\n";
    }
    for (const std::string & stop : params.additional_stops) {
        probe += stop + " e\n";
    }
    return probe;
}

// Formats whose answer is its own content: no tools, no thought to split off.
bool is_plain(const dbs_chat & chat, const common_chat_parser_params & syntax, const std::string & probe) {
    if (chat.continues || (chat.params.supports_thinking && chat.reasoning != COMMON_REASONING_FORMAT_NONE)) {
        return false;
    }
    try {
        const common_chat_msg found = common_chat_parse(probe, false, syntax);
        return found.content == probe && found.reasoning_content.empty() && found.tool_calls.empty();
    } catch (...) {
        return false;
    }
}

/** Whether the prompt ends behind a thought that it both opened and closed, as templates do to rule one out. */
bool prompt_closes_a_thought(const common_chat_params & params) {
    const size_t open = params.thinking_start_tag.empty() ? std::string::npos : params.generation_prompt.rfind(params.thinking_start_tag);
    if (open == std::string::npos) {
        return false;
    }
    for (const std::string & tag : params.thinking_end_tags) {
        if (!tag.empty() && params.generation_prompt.find(tag, open) != std::string::npos) {
            return true;
        }
    }
    return false;
}

} // namespace

int32_t dbs_parser_new(const dbs_chat * chat, int32_t parse_tool_calls, dbs_parser ** out) {
    if (chat == nullptr || out == nullptr || (parse_tool_calls != 0 && parse_tool_calls != 1)) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    const dbs::Quiet quiet;
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        auto parser    = std::make_unique<dbs_parser>();
        parser->syntax = common_chat_parser_params(chat->params);
        if (!chat->params.parser.empty()) {
            parser->syntax.parser.load(chat->params.parser);
        }
        parser->syntax.reasoning_format = chat->reasoning;
        parser->syntax.parse_tool_calls = parse_tool_calls == 1;
        parser->syntax.is_continuation  = chat->continues;
        parser->parses_calls            = parse_tool_calls == 1;
        parser->trims_newlines          = chat->params.supports_thinking && chat->reasoning != COMMON_REASONING_FORMAT_NONE;
        parser->probe                   = probe_of(chat->params);
        parser->is_raw                  = is_plain(*chat, parser->syntax, parser->probe);
        if (chat->continues || (chat->reasoning == COMMON_REASONING_FORMAT_NONE && prompt_closes_a_thought(chat->params))) {
            // What the prompt already holds of this message is not the answer: a caller's own beginning, or the empty thought that
            // upstream would hand out as content where thoughts are not split off.
            parser->read(true, false);
            parser->deltas.clear();
            parser->handed = 0;
        }
        *out = parser.release();
        return DBS_OK;
    });
}

void dbs_parser_free(dbs_parser * parser) {
    delete parser;
}

int32_t dbs_parser_is_plain(const dbs_parser * parser) {
    return parser != nullptr && parser->is_raw ? 1 : 0;
}

int32_t dbs_parser_feed(dbs_parser * parser, const char * text, size_t size, int32_t is_final, const dbs_delta ** deltas, size_t * n_deltas) {
    if (parser == nullptr || deltas == nullptr || n_deltas == nullptr || (text == nullptr && size > 0) || (is_final != 0 && is_final != 1) ||
        parser->is_finished) {
        return DBS_INVALID_ARGUMENT;
    }
    *deltas   = nullptr;
    *n_deltas = 0;
    const dbs::Quiet quiet;
    const int32_t    status = dbs::guarded(DBS_INTERNAL, [&]() -> int32_t { return parser->feed(size > 0 ? text : "", size, is_final == 1); });
    parser->is_finished     = is_final == 1;
    if (status == DBS_OK || status == DBS_NO_PARSE) {
        *deltas   = parser->deltas.data();
        *n_deltas = parser->deltas.size();
    }
    return status;
}
