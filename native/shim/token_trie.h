// A vocabulary as a trie of code points, shared by all grammars of a model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "darkbloom_shim.h"

namespace dbs {

/** A UTF-8 sequence that a token has begun and not ended, in llama.cpp's terms. */
struct PartialUtf8 {
    uint32_t value    = 0; // the bits so far
    int32_t  n_remain = 0; // bytes still to come; -1 after an invalid sequence
};

/**
 * Reads `piece` up to its first NUL as UTF-8, after what `partial` has begun: appends whole code points to `code_points` and returns what
 * is begun at the end. An invalid sequence takes all of the piece's code points away.
 */
PartialUtf8 decode_piece(const char * piece, size_t size, PartialUtf8 partial, std::vector<uint32_t> & code_points);

/**
 * Every token that can take part in a text, except those that end generation, at the node of its code points. Nodes lie in the order of a
 * walk, parents first, so that a whole branch is left out by a jump. Immutable, any thread.
 */
struct TokenTrie {
    struct Node {
        uint32_t symbol;        // which of `symbols`; the root's means nothing
        uint32_t end;           // the first node behind this one's branch
        uint32_t depth;         // the root's is 0
        uint32_t first_token;   // its own tokens are tokens[first_token, the next node's first_token)
        uint32_t first_partial; // its own tokens that end within a code point, likewise in `partials`
    };

    struct PartialToken {
        int32_t     token;
        PartialUtf8 partial;
    };

    struct Continuation {
        int32_t     token;
        std::string piece;
    };

    std::vector<Node>         nodes; // and one more behind the last
    std::vector<int32_t>      tokens;
    std::vector<PartialToken> partials;
    std::vector<uint32_t>     symbols;       // the code points that occur, rising
    std::vector<Continuation> continuations; // tokens that can go on with a code point that another has begun
    std::vector<uint64_t>     texts;         // bit per token: holds a whole code point when read from a clean start
    std::vector<int32_t>      ends;          // tokens that end generation
    int32_t                   n_tokens = 0;
    uint32_t                  depth    = 0; // of the deepest node

    /** May throw. */
    explicit TokenTrie(const llama_vocab * vocab);
};

/**
 * Builds a model's trie when the first grammar asks for it, some tens of milliseconds, and keeps it. Any thread.
 */
class SharedTrie;

/** The one of this vocabulary; as long as somebody holds it, everybody gets the same. */
std::shared_ptr<SharedTrie> shared_trie(const llama_vocab * vocab);

/** The trie itself, built by the first who asks. May throw; then the next one tries again. */
const TokenTrie & trie_of(SharedTrie & shared);

} // namespace dbs
