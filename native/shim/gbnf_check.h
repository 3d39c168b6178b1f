// What a grammar text must not do to llama.cpp's parser.
#pragma once

#include <string>

namespace dbs {

/**
 * Whether a GBNF text is safe to parse: groups nest no deeper than 200, no repetition counts backwards (`{5,2}` makes upstream's parser
 * build rules until memory is gone), all repetitions together write down no more than eight million elements, and no NUL hides the rest.
 * Whether it is a grammar is upstream's to say.
 */
bool gbnf_is_safe(const std::string & gbnf);

} // namespace dbs
