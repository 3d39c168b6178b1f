#include "token_trie.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>

#include "vocab.h"

namespace dbs {

namespace {

/**
 * Takes the next byte of a sequence; false when it makes the sequence invalid. Overlong forms, halves of pairs and what lies beyond the last
 * code point all show at the second byte, and no later state looks like one before it.
 */
bool go_on(PartialUtf8 & partial, uint8_t byte) {
    if ((byte >> 6) != 2) {
        return false;
    }
    const bool     second_of_three = partial.n_remain == 2 && partial.value < 0x10;
    const bool     second_of_four  = partial.n_remain == 3;
    const uint32_t value           = (partial.value << 6) + (byte & 0x3F);
    if ((second_of_three && (value < 0x20 || (value >= 0x360 && value < 0x380))) || (second_of_four && (value < 0x10 || value >= 0x110))) {
        return false;
    }
    partial = { value, partial.n_remain - 1 };
    return true;
}

} // namespace

// Stricter than upstream's decode_utf8, which reads overlong forms as the characters they spell and does not look at the bytes behind a lead
// byte: a text under a grammar is valid UTF-8 here, and so holds the characters that the grammar asks for.
PartialUtf8 decode_piece(const char * piece, size_t size, PartialUtf8 partial, std::vector<uint32_t> & code_points) {
    static const int8_t lengths[] = { 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 3, 4 };
    const size_t        begin     = code_points.size();
    const char *        end       = std::find(piece, piece + size, '\0');
    for (; piece != end; piece++) {
        const uint8_t byte  = static_cast<uint8_t>(*piece);
        bool          valid = true;
        if (partial.n_remain > 0) {
            valid = go_on(partial, byte);
        } else {
            const int32_t n_remain = lengths[byte >> 4] - 1;
            valid                  = n_remain >= 0 && byte != 0xC0 && byte != 0xC1 && byte < 0xF5;
            partial                = { n_remain > 0 ? byte & ((1u << (6 - n_remain)) - 1) : byte, n_remain };
        }
        if (!valid) {
            code_points.resize(begin);
            return { 0, -1 };
        }
        if (partial.n_remain == 0) {
            code_points.push_back(partial.value);
        }
    }
    return partial;
}

TokenTrie::TokenTrie(const llama_vocab * vocab) : n_tokens(llama_vocab_n_tokens(vocab)) {
    struct Entry {
        uint32_t    begin; // into `text`
        uint32_t    end;
        int32_t     token;
        PartialUtf8 partial;
    };
    std::vector<uint32_t> text;
    std::vector<Entry>    entries;
    texts.resize((static_cast<size_t>(n_tokens) + 63) / 64);
    for (int32_t token = 0; token < n_tokens; token++) {
        if (llama_vocab_is_eog(vocab, token)) {
            ends.push_back(token);
            continue;
        }
        std::string piece = piece_of(vocab, token);
        if (piece.empty() || piece[0] == '\0') {
            continue;
        }
        const uint32_t    begin   = static_cast<uint32_t>(text.size());
        const PartialUtf8 partial = decode_piece(piece.data(), piece.size(), {}, text);
        if ((static_cast<uint8_t>(piece[0]) >> 6) == 2) {
            continuations.push_back({ token, std::move(piece) });
        }
        if (partial.n_remain < 0) {
            continue;
        }
        entries.push_back({ begin, static_cast<uint32_t>(text.size()), token, partial });
        if (text.size() > begin) {
            texts[static_cast<size_t>(token) / 64] |= uint64_t{ 1 } << (token % 64);
        }
    }
    symbols = text;
    std::sort(symbols.begin(), symbols.end());
    symbols.erase(std::unique(symbols.begin(), symbols.end()), symbols.end());
    std::sort(entries.begin(), entries.end(), [&](const Entry & a, const Entry & b) {
        const auto of = [&](uint32_t at) { return text.begin() + at; };
        if (std::lexicographical_compare(of(a.begin), of(a.end), of(b.begin), of(b.end))) {
            return true;
        }
        return !std::lexicographical_compare(of(b.begin), of(b.end), of(a.begin), of(a.end)) && a.token < b.token;
    });

    // Sorted, an entry shares a beginning with the one before it: only the rest makes new nodes.
    std::vector<uint32_t> path = { 0 }; // nodes from the root to the last one made
    const auto            node = [&](uint32_t symbol, size_t depth_of_node) {
        nodes.push_back({ symbol, 0, static_cast<uint32_t>(depth_of_node), static_cast<uint32_t>(tokens.size()), static_cast<uint32_t>(partials.size()) });
    };
    const auto leave = [&](size_t depth_to_keep) {
        while (path.size() > depth_to_keep + 1) {
            nodes[path.back()].end = static_cast<uint32_t>(nodes.size());
            path.pop_back();
        }
    };
    node(0, 0);
    uint32_t last_begin = 0;
    for (const Entry & entry : entries) {
        const uint32_t length = entry.end - entry.begin;
        uint32_t       shared = 0;
        while (shared < length && shared + 1 < path.size() && text[entry.begin + shared] == text[last_begin + shared]) {
            shared++;
        }
        leave(shared);
        for (uint32_t at = entry.begin + shared; at < entry.end; at++) {
            node(static_cast<uint32_t>(std::lower_bound(symbols.begin(), symbols.end(), text[at]) - symbols.begin()), path.size());
            path.push_back(static_cast<uint32_t>(nodes.size()) - 1);
        }
        depth      = std::max(depth, length);
        last_begin = entry.begin;
        if (entry.partial.n_remain == 0) {
            tokens.push_back(entry.token);
        } else {
            partials.push_back({ entry.token, entry.partial });
        }
    }
    leave(0);
    nodes[0].end = static_cast<uint32_t>(nodes.size());
    node(0, 0);
}

class SharedTrie {
  public:
    explicit SharedTrie(const llama_vocab * vocab) : vocab_(vocab) {}

    const TokenTrie & get() {
        std::lock_guard<std::mutex> lock(mutex_);
        if (trie_ == nullptr) {
            trie_ = std::make_unique<TokenTrie>(vocab_);
        }
        return *trie_;
    }

  private:
    const llama_vocab * const  vocab_;
    std::mutex                 mutex_;
    std::unique_ptr<TokenTrie> trie_; // guarded by mutex_, as is its making
};

std::shared_ptr<SharedTrie> shared_trie(const llama_vocab * vocab) {
    static std::mutex                                             mutex;
    static std::map<const llama_vocab *, std::weak_ptr<SharedTrie>> tries; // guarded by mutex
    std::lock_guard<std::mutex>                                   lock(mutex);
    // Another model may have been given a closed one's address: what nobody holds any more is forgotten.
    for (auto it = tries.begin(); it != tries.end();) {
        it = it->second.expired() ? tries.erase(it) : std::next(it);
    }
    std::shared_ptr<SharedTrie> found;
    const auto                  it = tries.find(vocab);
    if (it != tries.end()) {
        found = it->second.lock();
    }
    if (found == nullptr) {
        found        = std::make_shared<SharedTrie>(vocab);
        tries[vocab] = found;
    }
    return found;
}

const TokenTrie & trie_of(SharedTrie & shared) {
    return shared.get();
}

} // namespace dbs
