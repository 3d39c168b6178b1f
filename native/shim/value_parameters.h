// Parameters of calls for which upstream has no schema: written as text between marks, or as values that its grammar takes as they come.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "chat-peg-parser.h"

namespace dbs {

enum class ValueForm {
    TEXT,   // as it is
    JSON,   // as JSON, up to a mark
    PYTHON, // as Python; numbers and strings in double quotes are JSON too
};

/** The rule that the value of a tool's parameter follows; nothing where anything of that form will do. */
using ValueRule = std::function<std::optional<std::string>(const std::string & tool, const std::string & parameter, ValueForm form)>;

/**
 * Loads a format's parser, as it was saved, to make a grammar of: one in which the value of a parameter that has a rule is that rule and
 * what ends it. Upstream's own grammar lets any text stand there that does not hold the mark at its end, or any value. Parameters with a
 * schema are left as they are.
 */
common_peg_arena with_value_rules(const std::string & parser, const ValueRule & rule_of);

} // namespace dbs
