// String formats of JSON schemas.
#pragma once

#include <optional>
#include <string>

namespace dbs {

/** A GBNF expression for the text of a string of this format, without quotes; empty for a format that is not known here. */
std::optional<std::string> format_grammar(const std::string & format);

} // namespace dbs
