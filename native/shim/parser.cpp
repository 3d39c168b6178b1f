// The answer's text, piece by piece, to reasoning, content and tool calls.
//
// Upstream's parser reads a whole text, so to read on is to read again from the beginning; what it finds now and had not handed out before
// becomes a delta. A partial text may parse to less than an earlier one did, or not at all: then nothing is new.
//
// That would cost the more the longer the answer is. So where the parser stands in a run of text (content, a thought, a string among a call's
// arguments), what follows is handed out as it comes, until a mark of the format ends the run; and what was handed out so is left out of what
// the parser is given from then on. To it a run has one length or another, nothing else. Outside of runs the text is read again when it has
// grown by a small part.

#include <algorithm>
#include <cctype>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "deep_stack.h"
#include "format_marks.h"
#include "guard.h"
#include "mark_matcher.h"
#include "request.h"

namespace {

// Upstream's parser recurses with the brackets of what the model writes. Up to here any stack does, then a deep one is needed, and beyond that
// the text is not read any more; no tool's arguments nest so deep, only prose and strings have so many brackets that stay open.
constexpr int shallow_depth = 200;
constexpr int max_depth     = 4000;

// Outside of runs the text is read again when it has grown by one part of this many: a byte then costs about as much as reading this many bytes.
constexpr size_t reread_part = 256;

// Bytes that are read at once; more are cut.
constexpr size_t max_piece = 256;

/** What the parser stands in: text of which all but the format's marks is handed out as it comes. */
enum class Run { none, reasoning, content, arguments };

/** What else ends a run: nothing; a quote, with JSON's escapes taken as they are; any quote, escape or line break. */
enum class RunKind { text, json_string, string };

constexpr RunKind run_kinds[] = { RunKind::text, RunKind::json_string, RunKind::string };

/** Text that a run of a kind takes in as it is, and that no narrower one would: it holds what ends names and numbers. */
const char * probe_of(RunKind kind) {
    switch (kind) {
        case RunKind::text: return "a b \"c\" 'd' e\\f.\n\n- g: {h}, [i] 1\nj = <k> (l)";
        case RunKind::json_string: return "a 'b' \\n\\\"c\\\" {[d: e, f}] = <g> (h)";
        case RunKind::string: break;
    }
    return "a b.c: d, e} f] {[g = <h> (i)";
}

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
    int                       depth          = 0;     // brackets that are open in `raw`, those in strings and prose counted too
    bool                      is_lost        = false; // the text does not parse and is handed out as content

    Run              run       = Run::none;
    RunKind          run_kind = RunKind::text;
    int              escape   = 0;      // of a run in a JSON string: where in an escape it is; 0: in none
    dbs::MarkMatcher marks{ {} };       // what may end a run
    std::string      held;              // of a run: what may belong to a mark, or to the newlines that end a thought
    std::string      passed;            // what a run handed out in the last feed; a delta points to it
    size_t           unread = 0;        // bytes of `raw` that came since it was read

    std::string     raw;     // all that was fed, without what runs have handed out
    size_t          handed = 0; // about how much of `raw` the deltas so far account for
    common_chat_msg message; // what was found at the last feed that found something; deltas point into it

    size_t                    reasoning_bytes = 0; // handed out, the newlines that were skipped included
    size_t                    content_bytes   = 0; // likewise
    bool                      reasoning_begun = false;
    bool                      content_begun   = false;
    size_t                    calls_begun     = 0;
    std::vector<CallProgress> calls;
    std::vector<std::string>  call_ids;

    std::vector<dbs_delta>   deltas;
    std::vector<std::string> joined_texts; // of deltas of a feed that was cut into pieces

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

    common_chat_msg parse(const std::string & text, bool is_partial) const {
        if (depth <= shallow_depth) {
            return common_chat_parse(text, is_partial, syntax);
        }
        common_chat_msg found;
        const int32_t   status = dbs::on_deep_stack(DBS_NO_PARSE, [&]() -> int32_t {
            found = common_chat_parse(text, is_partial, syntax);
            return DBS_OK;
        });
        if (status == DBS_NO_MEMORY) {
            throw std::bad_alloc();
        }
        if (status != DBS_OK) {
            throw std::runtime_error("the text does not parse");
        }
        return found;
    }

    // Reads the whole text again; false when it does not parse or contradicts what was handed out.
    bool read(bool is_partial, bool is_final) {
        try {
            common_chat_msg found = parse(raw, is_partial);
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
                const common_chat_msg found = parse(raw + probe, is_partial);
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

    /** Whether `raw` ends with the beginning of a mark. */
    bool ends_within_a_mark() {
        marks.reset();
        for (const char byte : raw) {
            marks.add(byte);
        }
        return marks.begun() > 0;
    }

    /** The message that `raw` and `more` make; an empty one where they do not parse. */
    common_chat_msg read_on(const char * more) const {
        try {
            return parse(raw + more, true);
        } catch (const std::bad_alloc &) {
            throw;
        } catch (...) {
            return {};
        }
    }

    bool goes_on_with(const char * more) const {
        const common_chat_msg found     = read_on(more);
        const bool            has_calls = !message.tool_calls.empty();
        if (found.reasoning_content != message.reasoning_content + (run == Run::reasoning ? more : "") ||
            found.content != message.content + (run == Run::content ? more : "") || found.tool_calls.size() != message.tool_calls.size()) {
            return false;
        }
        if (!has_calls) {
            return true;
        }
        const common_chat_tool_call & now    = found.tool_calls.back();
        const common_chat_tool_call & before = message.tool_calls.back();
        return now.name == before.name && now.arguments == before.arguments + (run == Run::arguments ? more : "");
    }

    /** Looks whether the parser stands in a run, all of which has been handed out so far. */
    void begin_run() {
        if (message.reasoning_content.size() != reasoning_bytes || message.content.size() != content_bytes) {
            return;
        }
        if (!message.tool_calls.empty()) {
            const CallProgress & last = calls.back();
            run = last.begun && last.arguments_bytes == message.tool_calls.back().arguments.size() ? Run::arguments : Run::none;
        } else if (content_begun) {
            run = Run::content;
        } else if (reasoning_begun) {
            run = Run::reasoning;
        }
        if (run == Run::none || ends_within_a_mark()) {
            run = Run::none;
            return;
        }
        for (const RunKind kind : run_kinds) {
            if ((kind == RunKind::text || run != Run::reasoning) && goes_on_with(probe_of(kind))) {
                run_kind = kind;
                escape   = 0;
                marks.reset();
                if (kind == RunKind::text && run != Run::arguments) {
                    depth = 0; // the brackets so far were prose
                }
                return;
            }
        }
        run = Run::none;
    }

    /** Whether a byte ends the run, marks aside. */
    bool ends_the_run(char byte) {
        if (run_kind == RunKind::text) {
            return false;
        }
        if (static_cast<unsigned char>(byte) < ' ') {
            return true;
        }
        if (run_kind == RunKind::string) {
            return byte == '"' || byte == '\'' || byte == '\\';
        }
        if (escape == 0) {
            escape = byte == '\\' ? 1 : 0;
            return byte == '"';
        }
        if (escape == 1) {
            escape = byte == 'u' ? 2 : 0;
            return std::strchr("\"\\/bfnrtu", byte) == nullptr;
        }
        escape = escape < 5 ? escape + 1 : 0; // four digits
        return std::isxdigit(static_cast<unsigned char>(byte)) == 0;
    }

    /** Hands out what belongs to the run; returns how many bytes that are, fewer than `size` when the run has ended. */
    size_t go_on(const char * text, size_t size) {
        size_t used = 0;
        while (used < size && run != Run::none) {
            const char byte = text[used++];
            held += byte;
            const bool is_marked = marks.add(byte) > 0;
            if (ends_the_run(byte) || is_marked) {
                run = Run::none;
            } else if (escape == 0) {
                release(marks.begun());
            }
        }
        return used;
    }

    /** Passes on what is held but its last `kept` bytes and, of a thought, the newlines before them. */
    void release(size_t kept) {
        size_t end = held.size() - kept;
        while (run == Run::reasoning && end > 0 && held[end - 1] == '\n') {
            end--;
        }
        passed.append(held, 0, end);
        held.erase(0, end);
    }

    void hand_out_passed(Run from) {
        if (!passed.empty()) {
            const int32_t kind = from == Run::reasoning ? DBS_DELTA_REASONING : from == Run::content ? DBS_DELTA_CONTENT : DBS_DELTA_TOOL_ARGUMENTS;
            add(kind, from == Run::arguments ? static_cast<int32_t>(calls.size()) - 1 : 0, passed.data(), passed.size());
        }
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

    void keep(const char * text, size_t size) {
        is_lost = nests_too_deep(text, size) || is_lost;
        raw.append(text, size);
        unread += size;
    }

    /**
     * Feeds much text in pieces, so that runs are found in it, too: the brackets in them do not nest. Deltas of pieces are joined where they
     * go on with each other.
     */
    int32_t feed(const char * text, size_t size, bool is_final) {
        if (size <= max_piece) {
            return feed_piece(text, size, is_final);
        }
        std::vector<dbs_delta> joined;
        joined_texts.clear();
        int32_t status = DBS_OK;
        while (size > 0) {
            size_t piece = std::min(size, max_piece);
            while (piece > 1 && piece < size && (static_cast<unsigned char>(text[piece]) & 0xC0) == 0x80) {
                piece--; // characters stay whole
            }
            status = feed_piece(text, piece, is_final && piece == size);
            text += piece;
            size -= piece;
            for (const dbs_delta & delta : deltas) {
                const bool goes_on = !joined.empty() && delta.kind != DBS_DELTA_TOOL_BEGIN && joined.back().kind == delta.kind &&
                                     joined.back().tool_index == delta.tool_index;
                if (goes_on) {
                    joined_texts.back().append(delta.text.data, delta.text.size);
                } else {
                    joined.push_back(delta);
                    joined_texts.emplace_back(delta.text.data, delta.text.size);
                }
            }
        }
        for (size_t i = 0; i < joined.size(); i++) {
            joined[i].text = { joined_texts[i].data(), joined_texts[i].size() };
            if (joined[i].kind == DBS_DELTA_TOOL_BEGIN) {
                const std::string & id = call_ids[static_cast<size_t>(joined[i].tool_index)];
                joined[i].extra        = { id.data(), id.size() };
            }
        }
        deltas = std::move(joined);
        return status;
    }

    int32_t feed_piece(const char * text, size_t size, bool is_final) {
        deltas.clear();
        passed.clear();
        if (run != Run::none) {
            const Run    from = run;
            const size_t used = go_on(text, size);
            hand_out_passed(from);
            if (run != Run::none && !is_final) {
                return DBS_OK;
            }
            run = Run::none;
            keep(held.data(), held.size());
            held.clear();
            text += used;
            size -= used;
        }
        keep(text, size);
        if (is_raw || is_lost) {
            hand_out_raw();
            return is_final && is_lost ? DBS_NO_PARSE : DBS_OK;
        }
        if (!is_final) {
            if (unread * reread_part < raw.size()) {
                return DBS_OK;
            }
            unread = 0;
            if (read(true, false) && !is_raw) {
                if (content_begun && raw.size() >= next_probe) {
                    is_raw     = goes_on_as_content();
                    next_probe = 2 * raw.size();
                }
                if (!is_raw) {
                    begin_run();
                }
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

/** Whatever may end a run of text in this format. */
std::vector<std::string> marks_of(const common_chat_params & params, const common_peg_arena & parser) {
    std::vector<std::string> marks = dbs::marks_of(parser);
    marks.insert(marks.end(), params.thinking_end_tags.begin(), params.thinking_end_tags.end());
    marks.push_back(params.thinking_start_tag);
    for (const common_grammar_trigger & trigger : params.grammar_triggers) {
        if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
            marks.push_back(trigger.value);
        }
    }
    for (const std::string & mark : params.preserved_tokens) {
        if (mark.size() > 1) {
            marks.push_back(mark);
        }
    }
    return marks;
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
        parser->marks                   = dbs::MarkMatcher(marks_of(chat->params, parser->syntax.parser));
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
