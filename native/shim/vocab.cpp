// Text to tokens, and the table of every token's text.

#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "deep_stack.h"
#include "guard.h"
#include "token_trie.h"
#include "vocab.h"

namespace dbs {

namespace {

// Many vocabularies split text by std::regex, which recurses once a character: 353 bytes of stack each, where a word is that long.
constexpr size_t most_shallow_bytes = 1024;

} // namespace

int32_t tokenize(const llama_vocab * vocab, const std::string & text, int32_t * tokens, int32_t max_tokens, bool add_special, bool parse_special,
                 const SpecialTokens::Ranges & plain, int32_t * n_tokens) {
    if (vocab == nullptr || n_tokens == nullptr || max_tokens < 0 || (tokens == nullptr && max_tokens > 0) ||
        text.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
        return DBS_INVALID_ARGUMENT;
    }
    *n_tokens       = 0;
    const auto body = [&]() -> int32_t {
        const std::vector<int32_t> found = tokens_of_prompt(vocab, text, add_special, parse_special, plain);
        if (found.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
            return DBS_INVALID_ARGUMENT;
        }
        *n_tokens = static_cast<int32_t>(found.size());
        if (*n_tokens > max_tokens) {
            return DBS_TOO_SMALL;
        }
        std::copy(found.begin(), found.end(), tokens);
        return DBS_OK;
    };
    if (text.size() > most_shallow_bytes) {
        return on_deep_stack(DBS_INTERNAL, body);
    }
    const Quiet quiet;
    return guarded(DBS_INTERNAL, body);
}

} // namespace dbs

struct dbs_pieces {
    std::vector<uint32_t> offsets;
    std::string           bytes;
    std::vector<uint8_t>  flags;
    int32_t               max_piece = 0;

    std::shared_ptr<dbs::SharedTrie>          trie; // kept for the grammars to come, though no grammar be left
    std::shared_ptr<const dbs::SpecialTokens> specials;
};

int32_t dbs_tokenize(const struct llama_vocab * vocab, const char * text, size_t size, int32_t * tokens, int32_t max_tokens,
                     bool add_special, bool parse_special, int32_t * n_tokens) {
    if (text == nullptr && size > 0) {
        return DBS_INVALID_ARGUMENT;
    }
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        return dbs::tokenize(vocab, size > 0 ? std::string(text, size) : std::string(), tokens, max_tokens, add_special, parse_special, {}, n_tokens);
    });
}

int32_t dbs_pieces_new(const struct llama_vocab * vocab, dbs_pieces ** out) {
    if (vocab == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    dbs_pieces * pieces = nullptr;
    const int32_t status = dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        pieces           = new dbs_pieces();
        pieces->trie     = dbs::shared_trie(vocab);
        pieces->specials = dbs::special_tokens(vocab);
        const int32_t n_tokens = llama_vocab_n_tokens(vocab);
        pieces->offsets.reserve(static_cast<size_t>(n_tokens) + 1);
        pieces->flags.reserve(static_cast<size_t>(n_tokens));
        pieces->offsets.push_back(0);
        for (int32_t token = 0; token < n_tokens; token++) {
            const std::string piece = dbs::piece_of(vocab, token);
            pieces->bytes += piece;
            if (pieces->bytes.size() > std::numeric_limits<uint32_t>::max()) {
                return DBS_INVALID_ARGUMENT;
            }
            pieces->offsets.push_back(static_cast<uint32_t>(pieces->bytes.size()));
            if (static_cast<int32_t>(piece.size()) > pieces->max_piece) {
                pieces->max_piece = static_cast<int32_t>(piece.size());
            }

            const int32_t attributes = llama_vocab_get_attr(vocab, token);
            uint8_t       flags      = 0;
            flags |= llama_vocab_is_eog(vocab, token) ? DBS_TOKEN_END_OF_GENERATION : 0;
            flags |= (attributes & LLAMA_TOKEN_ATTR_CONTROL) != 0 ? DBS_TOKEN_CONTROL : 0;
            flags |= (attributes & LLAMA_TOKEN_ATTR_USER_DEFINED) != 0 ? DBS_TOKEN_USER_DEFINED : 0;
            flags |= (attributes & LLAMA_TOKEN_ATTR_BYTE) != 0 ? DBS_TOKEN_BYTE : 0;
            flags |= (attributes & LLAMA_TOKEN_ATTR_UNKNOWN) != 0 ? DBS_TOKEN_UNKNOWN : 0;
            flags |= (attributes & LLAMA_TOKEN_ATTR_UNUSED) != 0 ? DBS_TOKEN_UNUSED : 0;
            pieces->flags.push_back(flags);
        }
        return DBS_OK;
    });
    if (status != DBS_OK) {
        delete pieces;
        return status;
    }
    *out = pieces;
    return DBS_OK;
}

void dbs_pieces_get(const dbs_pieces * pieces, dbs_pieces_view * out) {
    if (pieces == nullptr || out == nullptr) {
        return;
    }
    out->offsets   = pieces->offsets.data();
    out->bytes     = pieces->bytes.data();
    out->flags     = pieces->flags.data();
    out->n_tokens  = static_cast<int32_t>(pieces->flags.size());
    out->max_piece = pieces->max_piece;
}

void dbs_pieces_free(dbs_pieces * pieces) {
    delete pieces;
}
