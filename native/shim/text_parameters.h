// Parameters of calls that are written as text between marks.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "chat-peg-parser.h"

namespace dbs {

/** The rule that the text of a tool's parameter follows; nothing where any text will do. */
using TextRule = std::function<std::optional<std::string>(const std::string & tool, const std::string & parameter)>;

/**
 * Loads a format's parser, as it was saved, to make a grammar of: one in which the text of parameters that have a rule is that rule and what ends it. Upstream's
 * own grammar lets any text stand there that does not hold the mark at its end.
 */
common_peg_arena with_text_rules(const std::string & parser, const TextRule & rule_of);

} // namespace dbs
