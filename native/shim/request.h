// What the halves of the chat code share: one rendered request, and JSON text from a caller.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "chat.h"

#include "darkbloom_shim.h"
#include "mark_matcher.h"
#include "template_analysis.h"

/** What every request of one kind gets from a template beside its prompt: the answer's format and its parser. Holds no content. */
struct request_format {
    bool                    enable_thinking       = false;
    bool                    parallel_tool_calls   = false;
    bool                    add_generation_prompt = false;
    common_chat_tool_choice tool_choice           = COMMON_CHAT_TOOL_CHOICE_AUTO;
    common_reasoning_format reasoning             = COMMON_REASONING_FORMAT_NONE;
    common_chat_params      params; // without a prompt
};

/** What a template makes of a call's arguments that are no JSON. */
enum class BrokenArguments { unknown, as_they_are, as_string, refused };

struct dbs_templates {
    common_chat_templates_ptr templates;
    common_chat_templates_ptr unset; // the same with enable_thinking undefined; NULL unless that differs from both its values
    const llama_vocab *       vocab = nullptr;
    std::string               source;
    bool                      explicit_template = false;
    bool                      reads_thinking    = false; // the text names enable_thinking
    bool                      thinks_by_default = true;  // the value that does what the template does where nobody sets one
    bool                      has_tool_template = false; // requests with tools are rendered by another text
    dbs::MarkMatcher          controls{ {} };            // texts of the vocabulary's control tokens

    std::atomic<int32_t>      calls_shown{ -1 };         // a dbs::CallsShown; -1: not found out yet; whoever finds it out finds the same

    std::unique_ptr<const dbs::TemplateAnalysis> analysis; // NULL: upstream's own reader of this template is asked each time

    // What calls among the messages look like, found out when a request has some; see call_history.h. Whoever finds it out finds the same.
    std::atomic<int32_t>         short_ids{ -1 }; // 1: only ids of nine letters and digits are taken
    std::atomic<BrokenArguments> broken_arguments{ BrokenArguments::unknown };

    std::mutex                  mutex;
    int32_t                     lacks_tools = -1; // guarded; 1: tools are shown and called in our own form; -1: not found out yet
    std::vector<request_format> formats;          // guarded; of requests without tools, schema, grammar and variables, found so far
};

struct dbs_chat {
    common_chat_params      params;
    std::string             grammar;                   // the template's, or the caller's
    bool                    grammar_is_callers = false; // a caller's grammar begins with the answer, not with the generation prompt
    std::vector<std::string> openings;                  // words of which one must open the answer, a thought aside; empty: any may
    std::string              opening_thought;           // what may stand before one of them to open a thought; empty: nothing
    bool                    is_held = false;           // the grammar is of the whole answer, as answer_grammar makes it
    std::string             begun;                     // of a held answer: content that the prompt already holds
    common_reasoning_format reasoning          = COMMON_REASONING_FORMAT_NONE;
    bool                    continues          = false;
    std::vector<int32_t>    preserved; // sorted

    std::vector<std::pair<size_t, size_t>> plain; // places of the prompt, [begin, end) in bytes, where no control token is read
};

struct dbs_text {
    std::string text;
};
