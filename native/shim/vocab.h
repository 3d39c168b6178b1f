// Tokenizing for the rest of the shim.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "darkbloom_shim.h"
#include "special_tokens.h"

namespace dbs {

/** dbs_tokenize, for those within; `plain` as in tokens_of_prompt. */
int32_t tokenize(const llama_vocab * vocab, const std::string & text, int32_t * tokens, int32_t max_tokens, bool add_special, bool parse_special,
                 const SpecialTokens::Ranges & plain, int32_t * n_tokens);

/** The tokens of a short text, nothing added; special ones read as such, unless told otherwise. May throw. */
std::vector<int32_t> tokens_of(const llama_vocab * vocab, const std::string & text, bool parse_special = true);

/**
 * As tokens_of, for a text of any length: equal to upstream's in time that grows with the text.
 *
 * @param add_special whether to add what the model wants in front and behind
 * @param plain places, [begin, end) in bytes, rising, where no control token is read
 */
std::vector<int32_t> tokens_of_prompt(const llama_vocab * vocab, const std::string & text, bool add_special, bool parse_special,
                                      const SpecialTokens::Ranges & plain = {});

/** The text of one valid token, special ones included. May throw. */
std::string piece_of(const llama_vocab * vocab, int32_t token);

} // namespace dbs
