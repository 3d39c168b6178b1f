// The grammar of an answer that is held from its first token on: a thought perhaps, and then JSON, or a call.
#pragma once

#include <string>
#include <vector>

#include "chat.h"

namespace dbs {

/** What stands around the content of an answer; all empty where content stands alone. */
struct ContentMarks {
    std::string no_thought; // what may come before all else where the model does not think
    std::string open;
    std::string close;
};

/**
 * The marks that a template writes around an answer's content, which is how the model was taught to write it: `<|channel|>final<|message|>`
 * is one. Found by rendering a short conversation; a template that does not take it has none.
 */
ContentMarks content_marks(const common_chat_templates & templates, const common_chat_params & format);

/** Whether an answer may begin with a thought, or goes on with one. */
enum class Thought { none, may_come, is_open };

struct AnswerParts {
    Thought      thought = Thought::none;
    ContentMarks content;
    std::string  schema;    // the rule of the content; empty: the answer is a call
    std::string  calls;     // a grammar whose root is one call or several; empty: none may come
    bool         continues; // the content has been begun: its opening mark is in the prompt
};

/**
 * A grammar of the whole answer, but for the rules of `schema`. It begins where the prompt ends. A thought holds neither the beginning of a
 * call nor the end of the answer.
 */
std::string answer_grammar(const common_chat_params & format, const AnswerParts & parts);

} // namespace dbs
