#include "constraint.h"

#include <algorithm>
#include <stdexcept>

#include "vocab.h"

namespace dbs {

Constraint::Constraint(const llama_vocab * vocab, std::shared_ptr<SharedTrie> shared, GrammarRules rules)
    : vocab_(vocab), shared_(std::move(shared)), matcher_(std::move(rules), trie_of(*shared_)) {}

std::unique_ptr<Constraint> Constraint::compile(const llama_vocab * vocab, const std::string & gbnf) {
    GrammarRules rules;
    if (!rules.compile(vocab, gbnf)) {
        return nullptr;
    }
    return std::unique_ptr<Constraint>(new Constraint(vocab, shared_trie(vocab), std::move(rules)));
}

std::unique_ptr<Constraint> Constraint::compile_lazy(const llama_vocab * vocab, const std::string & gbnf, std::vector<llama_token> tokens,
                                                     const std::vector<Trigger> & triggers) {
    std::unique_ptr<Constraint> constraint = compile(vocab, gbnf);
    if (constraint != nullptr) {
        constraint->asleep_      = true;
        constraint->wake_tokens_ = std::move(tokens);
        for (const Trigger & trigger : triggers) {
            constraint->patterns_.push_back({ trigger.is_word, trigger.text, trigger.is_word ? std::regex() : std::regex(trigger.text) });
        }
    }
    return constraint;
}

bool Constraint::allows(int32_t token) {
    if (asleep_) {
        return true;
    }
    return llama_vocab_is_eog(vocab_, token) ? matcher_.may_end() : matcher_.allows(token, piece_of(vocab_, token));
}

void Constraint::restrict(std::vector<uint64_t> & bits) {
    if (asleep_) {
        return;
    }
    std::vector<uint64_t> kept;
    for (const int32_t end : trie_of(*shared_).ends) {
        if (matcher_.may_end() && (bits[static_cast<size_t>(end) / 64] >> (end % 64) & 1) != 0) {
            kept.push_back(static_cast<uint64_t>(end));
        }
    }
    const std::vector<uint64_t> & allowed = matcher_.allowed();
    for (size_t word = 0; word < bits.size(); word++) {
        bits[word] &= allowed[word];
    }
    for (const uint64_t end : kept) {
        bits[end / 64] |= uint64_t{ 1 } << (end % 64);
    }
}

void Constraint::accept(int32_t token) {
    const std::string piece = piece_of(vocab_, token);
    if (asleep_) {
        watch(token, piece);
        return;
    }
    if (llama_vocab_is_eog(vocab_, token)) {
        if (!matcher_.may_end()) {
            throw std::runtime_error("the grammar does not end here");
        }
        return;
    }
    matcher_.accept(token, piece);
}

void Constraint::watch(int32_t token, const std::string & piece) {
    if (std::find(wake_tokens_.begin(), wake_tokens_.end(), token) != wake_tokens_.end()) {
        asleep_ = false;
        buffer_.clear();
        buffered_.clear();
        matcher_.accept(token, piece);
        return;
    }
    const size_t n_known = buffer_.size();
    buffer_ += piece;
    buffered_.push_back({ token, n_known, buffer_.size() });
    for (const Pattern & pattern : patterns_) {
        const size_t start = find(pattern, n_known);
        if (start == std::string::npos) {
            continue;
        }
        asleep_ = false;
        for (const Buffered & one : buffered_) {
            if (one.end > start) {
                // The trigger may begin within a token: the grammar is given only the rest of it.
                const size_t begin = std::max(one.begin, start);
                matcher_.accept(one.token, buffer_.substr(begin, one.end - begin));
            }
        }
        buffer_.clear();
        buffered_.clear();
        return;
    }
}

// Where the grammar's text begins in the buffer, whose first n_known bytes have been looked at before.
size_t Constraint::find(const Pattern & pattern, size_t n_known) const {
    if (pattern.is_word) {
        const size_t overlap = pattern.text.empty() ? 0 : pattern.text.size() - 1;
        return buffer_.find(pattern.text, n_known > overlap ? n_known - overlap : 0);
    }
    std::smatch match;
    const bool  is_anchored = !pattern.text.empty() && pattern.text.front() == '^' && pattern.text.back() == '$';
    if (!(is_anchored && std::regex_match(buffer_, match, pattern.regex)) && !std::regex_search(buffer_, match, pattern.regex)) {
        return std::string::npos;
    }
    for (size_t group = 1; group < match.size(); group++) {
        if (match.length(group) > 0) {
            return static_cast<size_t>(match.position(group));
        }
    }
    return static_cast<size_t>(match.position(0));
}

} // namespace dbs
