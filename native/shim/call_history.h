// Calls among a request's messages, in the form that a template takes.
#pragma once

#include <vector>

#include "request.h"

namespace dbs {

/**
 * Makes calls without arguments calls with none: clients send back what was streamed to them, and that may be nothing.
 */
void fill_empty_arguments(std::vector<common_chat_msg> & messages);

/**
 * Rewrites what the template would refuse. Ids of calls and of their answers become nine letters and digits where it takes no others
 * (Mistral's), the same for the same id in every request, so that prompts keep their prefix. Arguments that are no JSON, since an answer was
 * cut off in them, become a JSON string where the template reads JSON and shows a string; false where it shows none.
 *
 * What a template takes is found by rendering a conversation of ours, once per model and only when it is needed. Needs a deep stack.
 */
bool fit_calls(dbs_templates & templates, std::vector<common_chat_msg> & messages);

} // namespace dbs
