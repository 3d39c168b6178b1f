// Tokens and their texts, for those within.

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <unordered_map>

#include "vocab.h"

namespace dbs {

namespace {

constexpr size_t most_known_bytes = 64;                // of a text that is worth remembering
constexpr size_t most_bpe_bytes   = size_t{ 256 } << 10; // of a text between special tokens: on a deep stack, std::regex bears three times as many
constexpr size_t some_spm_bytes   = size_t{ 4 } << 10;

void append_tokens(const llama_vocab * vocab, const char * text, size_t size, bool add_special, bool parse_special, std::vector<int32_t> & out) {
    if (size > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
        throw std::length_error("text");
    }
    const size_t before = out.size();
    out.resize(before + size + 8);
    const auto tokenize = [&]() {
        return llama_tokenize(vocab, text, static_cast<int32_t>(size), out.data() + before, static_cast<int32_t>(std::min(out.size() - before, size_t{ INT32_MAX })),
                              add_special, parse_special);
    };
    int32_t count = tokenize();
    if (count == std::numeric_limits<int32_t>::min()) {
        throw std::length_error("tokens");
    }
    if (count < 0) {
        out.resize(before + static_cast<size_t>(-count));
        count = tokenize();
    }
    out.resize(before + static_cast<size_t>(count));
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/** Whether a text parts here without its tokens' becoming others: letter, space, letter. */
bool parts_at(const char * text, size_t at) {
    return text[at] == ' ' && is_letter(text[at - 1]) && is_letter(text[at + 1]);
}

/**
 * A text between special tokens, in a vocabulary of the BPE kind. A very long one is cut, between words where there are any; a word of as many
 * characters would otherwise use up the stack.
 */
void append_bpe(const llama_vocab * vocab, const char * text, size_t size, std::vector<int32_t> & out) {
    while (size > most_bpe_bytes) {
        size_t cut = most_bpe_bytes;
        while (cut > most_bpe_bytes / 2 && !parts_at(text, cut)) {
            cut--;
        }
        if (cut == most_bpe_bytes / 2) {
            cut = most_bpe_bytes;
            while (cut > most_bpe_bytes - 4 && (text[cut] & 0xC0) == 0x80) {
                cut--;
            }
        }
        append_tokens(vocab, text, cut, false, false, out);
        text += cut;
        size -= cut;
    }
    append_tokens(vocab, text, size, false, false, out);
}

/**
 * The same in a vocabulary of the SentencePiece kind, where upstream makes room for each character that it writes as bytes anew: 300 kB of line
 * breaks took 45 s (two-core x86 machine, 2026-11). So a long text is cut before such a character, which is part of no piece. Upstream
 * may put a space in front of a text; in front of a rest, the token that is that space and nothing else is taken away again.
 */
void append_spm(const llama_vocab * vocab, const char * text, size_t size, std::vector<int32_t> & out) {
    std::unordered_map<std::string, bool> known; // characters, and whether one may cut before them
    const std::vector<int32_t>            letter   = tokens_of(vocab, "a", false);
    const bool                            prefixed = !letter.empty() && piece_of(vocab, letter.front()).front() == ' ';
    const auto                            is_bytes = [&](const char * at, size_t length) {
        const auto [it, is_new] = known.try_emplace(std::string(at, length), false);
        if (is_new) {
            const std::vector<int32_t> tokens = tokens_of(vocab, it->first, false);
            const size_t               from   = prefixed ? 1 : 0;
            it->second = tokens.size() == length + from && (from == 0 || piece_of(vocab, tokens.front()) == " ") &&
                         std::all_of(tokens.begin() + static_cast<std::ptrdiff_t>(from), tokens.end(),
                                     [&](int32_t token) { return (llama_vocab_get_attr(vocab, token) & LLAMA_TOKEN_ATTR_BYTE) != 0; });
        }
        return it->second;
    };
    bool is_rest = false;
    while (size > 0) {
        size_t cut = std::min(some_spm_bytes, size);
        for (size_t length = 0; cut < size; cut += length) {
            const auto lead = static_cast<unsigned char>(text[cut]);
            length          = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            if ((lead & 0xC0) != 0x80 && cut + length <= size && is_bytes(text + cut, length)) {
                break;
            }
        }
        cut                 = std::min(cut, size);
        const size_t before = out.size();
        append_tokens(vocab, text, cut, false, false, out);
        if (is_rest && prefixed && out.size() > before) {
            out.erase(out.begin() + static_cast<std::ptrdiff_t>(before));
        }
        text += cut;
        size -= cut;
        is_rest = true;
    }
}

/** Text between special tokens. */
void append_text(const llama_vocab * vocab, const char * text, size_t size, std::vector<int32_t> & out) {
    if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_BPE && size > most_bpe_bytes) {
        append_bpe(vocab, text, size, out);
    } else if (llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_SPM && size > some_spm_bytes) {
        append_spm(vocab, text, size, out);
    } else {
        append_tokens(vocab, text, size, false, false, out);
    }
}

} // namespace

std::vector<int32_t> tokens_of(const llama_vocab * vocab, const std::string & text, bool parse_special) {
    std::vector<int32_t> tokens;
    append_tokens(vocab, text.data(), text.size(), false, parse_special, tokens);
    return tokens;
}

std::vector<int32_t> tokens_of_prompt(const llama_vocab * vocab, const std::string & text, bool add_special, bool parse_special,
                                      const SpecialTokens::Ranges & plain) {
    const std::vector<SpecialTokens::Part> parts = special_tokens(vocab)->parts(text, parse_special, plain);
    std::vector<int32_t>                   added; // upstream adds a token in front, behind, both or none, by rules of each kind of vocabulary
    if (add_special) {
        append_tokens(vocab, "", 0, true, false, added);
    }
    const bool           in_front = added.size() > 1 || (added.size() == 1 && llama_vocab_get_add_bos(vocab));
    std::vector<int32_t> tokens;
    if (in_front) {
        tokens.push_back(added.front());
    }
    // Upstream looks through its list of special tokens once for each text, and a chat's texts repeat.
    std::unordered_map<std::string, std::pair<size_t, size_t>> known;
    for (const SpecialTokens::Part & part : parts) {
        const size_t size = part.end - part.begin;
        if (part.token >= 0) {
            tokens.push_back(part.token);
        } else if (size > most_known_bytes) {
            append_text(vocab, text.data() + part.begin, size, tokens);
        } else {
            const auto [it, is_new] = known.try_emplace(text.substr(part.begin, size), tokens.size(), 0);
            if (is_new) {
                append_text(vocab, text.data() + part.begin, size, tokens);
                it->second.second = tokens.size();
            } else {
                for (size_t i = it->second.first; i < it->second.second; i++) {
                    tokens.push_back(tokens[i]);
                }
            }
        }
    }
    if (added.size() > (in_front ? 1 : 0)) {
        tokens.push_back(added.back());
    }
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
