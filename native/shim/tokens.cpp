// Tokens and their texts, for those within.

#include "vocab.h"

namespace dbs {

std::vector<int32_t> tokens_of(const llama_vocab * vocab, const std::string & text, bool parse_special) {
    std::vector<int32_t> tokens(text.size() + 8);
    int32_t              count = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                                                static_cast<int32_t>(tokens.size()), false, parse_special);
    if (count < 0) {
        tokens.resize(static_cast<size_t>(-count));
        count = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), tokens.data(), static_cast<int32_t>(tokens.size()), false, parse_special);
    }
    tokens.resize(static_cast<size_t>(count));
    return tokens;
}

std::string piece_of(const llama_vocab * vocab, int32_t token) {
    std::string piece(64, '\0');
    int32_t     size = llama_token_to_piece(vocab, token, &piece[0], static_cast<int32_t>(piece.size()), 0, true);
    if (size < 0) {
        piece.resize(static_cast<size_t>(-size));
        size = llama_token_to_piece(vocab, token, &piece[0], static_cast<int32_t>(piece.size()), 0, true);
    }
    piece.resize(static_cast<size_t>(size));
    return piece;
}

} // namespace dbs
