// What ends free text in an answer's format.
#pragma once

#include <string>
#include <vector>

#include "peg-parser.h"

namespace dbs {

/** The texts that end a run of free text within nodes of one tag, sorted, each once. May throw. */
std::vector<std::string> ends_of_text(const common_peg_arena & parser, const std::string & tag);

/** What may end or divide a run of text: the ends of all runs of free text, and the literals that look like marks. May throw. */
std::vector<std::string> marks_of(const common_peg_arena & parser);

} // namespace dbs
