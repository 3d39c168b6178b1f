// Regular expressions of a JSON schema as grammars.
#pragma once

#include <optional>
#include <string>

#include "grammar_text.h"

namespace dbs {

/**
 * A GBNF expression for JSON strings, quotes and escapes included, whose value matches `pattern` (ECMA-262, UTF-8). What it accepts always
 * matches; it may accept less: `.` and negated classes stay inside the basic plane, and no more than 1,000 repetitions are counted.
 * Empty when the pattern has something no grammar says (look-around, back references, anchors inside) or is no regular expression.
 */
std::optional<std::string> pattern_grammar(const std::string & pattern, GbnfText & rules);

/** As pattern_grammar, for the value itself: text without quotes, escapes, control characters and `<`, with which markup around it begins. */
std::optional<std::string> plain_pattern_grammar(const std::string & pattern, GbnfText & rules);

} // namespace dbs
