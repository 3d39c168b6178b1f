// Tools for models whose template has no place for them: shown in a system message of ours, called in a form of ours.
#pragma once

#include <string>
#include <vector>

#include "chat.h"

namespace dbs {

/**
 * Whether the template leaves tools out of the prompt, or upstream finds no grammar for its calls. Renders a prompt with a tool of its own;
 * may throw only for want of memory.
 */
bool lacks_tools(const common_chat_templates & templates);

/** What becomes of the calls among the messages in a template that shows its tools. */
enum class CallsShown {
    all,
    first_only, // of several in one message, or more than one are refused
    none,       // but the text of a message stands as it is
};

/** Renders a short conversation to see. Where the template refuses it altogether, all are taken to be shown. */
CallsShown calls_shown(const common_chat_templates & templates);

/**
 * Has the template show all calls: where it shows one of each message, a message of several becomes several, each with its answers; where it
 * shows none, the calls are written into the message's text in the form that such templates' models know, that of LFM2.
 */
void show_calls(CallsShown shown, std::vector<common_chat_msg> & messages);

/** Whether a message holds a call, or what a tool answered. */
bool has_tool_messages(const std::vector<common_chat_msg> & messages);

/**
 * Puts calls and answers of tools into the text of messages that any template can render, and the description of the tools, where
 * `in` has some that may be called, into the system message. Leaves `in` without tools and without a schema.
 */
void write_tools_as_text(common_chat_templates_inputs & in);

/**
 * Gives a rendered prompt the parser and the grammar of our form of calls. A schema for content is not looked at.
 *
 * @param in the request as it was before write_tools_as_text
 * @param beginning what the template writes before an answer, without the beginning of a message that is continued
 */
void expect_calls_as_text(common_chat_params & params, const common_chat_templates_inputs & in, const std::string & beginning);

} // namespace dbs
