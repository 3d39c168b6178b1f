// Text of a request that must not be read as the model's control tokens.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "chat.h"
#include "mark_matcher.h"

namespace dbs {

/** The texts of a vocabulary's control tokens; made once, then copied for each use. */
MarkMatcher control_texts(const llama_vocab * vocab);

/**
 * Marks what a request's texts hold of control tokens' texts, so that a rendered prompt tells them from those that the template wrote. A mark
 * is a number that nobody can guess, which templates pass on as they pass on any text.
 */
class InputMarks {
  public:
    /** @param thought tags that an assistant's message may hold, as the model once wrote them */
    InputMarks(const MarkMatcher & controls, std::vector<std::string> thought);

    /** Marks messages, tools and variables; returns whether there was anything to mark. */
    bool put(common_chat_templates_inputs & in);

    /** Takes the marks out of a prompt; returns the places, [begin, end) in bytes, rising, that are plain text. */
    std::vector<std::pair<size_t, size_t>> take(std::string & prompt) const;

  private:
    bool put_text(std::string & text, bool is_assistants);
    bool put_json(std::string & text);
    bool put_message(common_chat_msg & message);

    MarkMatcher              controls_;
    std::vector<std::string> thought_;
    std::string              open_;
    std::string              close_;
};

} // namespace dbs
