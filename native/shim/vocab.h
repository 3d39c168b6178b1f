// Tokenizing for the rest of the shim.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "darkbloom_shim.h"

namespace dbs {

/** dbs_tokenize, for those within. */
int32_t tokenize(const llama_vocab * vocab, const char * text, size_t size, int32_t * tokens, int32_t max_tokens, bool add_special,
                 bool parse_special, int32_t * n_tokens);

/** The tokens of `text`, nothing added; special ones read as such, unless told otherwise. May throw. */
std::vector<int32_t> tokens_of(const llama_vocab * vocab, const std::string & text, bool parse_special = true);

/** The text of one valid token, special ones included. May throw. */
std::string piece_of(const llama_vocab * vocab, int32_t token);

} // namespace dbs
