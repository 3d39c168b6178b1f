// What ends free text in an answer's format.
#pragma once

#include <string>
#include <vector>

#include "peg-parser.h"

namespace dbs {

/**
 * The texts that end a run of free text, sorted, each once: of all runs of a parser, or only of those within nodes of one tag. May throw.
 */
std::vector<std::string> ends_of_text(const common_peg_arena & parser);
std::vector<std::string> ends_of_text(const common_peg_arena & parser, const std::string & tag);

} // namespace dbs
