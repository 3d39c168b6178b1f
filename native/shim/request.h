// What the halves of the chat code share: one rendered request, and JSON text from a caller.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chat.h"

#include "darkbloom_shim.h"
#include "mark_matcher.h"

/** What every request of one kind gets from a template beside its prompt: the answer's format and its parser. Holds no content. */
struct request_format {
    bool                    enable_thinking       = false;
    bool                    parallel_tool_calls   = false;
    bool                    add_generation_prompt = false;
    common_chat_tool_choice tool_choice           = COMMON_CHAT_TOOL_CHOICE_AUTO;
    common_reasoning_format reasoning             = COMMON_REASONING_FORMAT_NONE;
    common_chat_params      params; // without a prompt
};

struct dbs_templates {
    common_chat_templates_ptr templates;
    common_chat_templates_ptr unset; // the same with enable_thinking undefined; NULL unless that differs from both its values
    const llama_vocab *       vocab = nullptr;
    std::string               source;
    bool                      explicit_template = false;
    bool                      reads_thinking    = false; // the text names enable_thinking
    bool                      thinks_by_default = true;  // the value that does what the template does where nobody sets one
    bool                      is_analysed       = false; // its formats are found by upstream's analysis, of which messages are no part

    dbs::MarkMatcher            controls{ {} };    // texts of the vocabulary's control tokens
    int32_t                     lacks_tools = -1; // 1: tools are shown and called in our own form; -1: not found out yet
    int32_t                     calls_shown = -1; // a dbs::CallsShown; -1: not found out yet

    std::vector<request_format> formats; // of requests without tools, schema and grammar, found so far
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
