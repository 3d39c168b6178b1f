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
        constraint->wake_tokens_ = std::move(tokens);
        constraint->watch_       = std::make_unique<TriggerWatch>(triggers);
    }
    return constraint;
}

bool Constraint::allows(int32_t token) {
    if (watch_ != nullptr) {
        return true;
    }
    return llama_vocab_is_eog(vocab_, token) ? matcher_.may_end() : matcher_.allows(token, piece_of(vocab_, token));
}

void Constraint::restrict(std::vector<uint64_t> & bits) {
    if (watch_ != nullptr) {
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
    if (watch_ != nullptr) {
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
        watch_.reset();
        matcher_.accept(token, piece);
        return;
    }
    const std::vector<TriggerWatch::Taken> taken = watch_->add(token, piece);
    if (!taken.empty()) {
        watch_.reset();
        for (const TriggerWatch::Taken & one : taken) {
            matcher_.accept(one.token, one.text);
        }
    }
}

namespace {

/** The openings that can come in a thought without closing it. Very short ones are words of every text. */
std::vector<std::string> forbidden(const std::vector<std::string> & openings, const std::vector<std::string> & closings) {
    constexpr size_t         shortest = 4;
    std::vector<std::string> words;
    for (const std::string & opening : openings) {
        const bool closes = std::any_of(closings.begin(), closings.end(), [&](const std::string & closing) {
            return closing.find(opening) != std::string::npos || (!closing.empty() && opening.find(closing) != std::string::npos);
        });
        if (opening.size() >= shortest && !closes) {
            words.push_back(opening);
        }
    }
    return words;
}

} // namespace

ThoughtGuard::ThoughtGuard(const llama_vocab * vocab, const std::vector<std::string> & openings, const std::vector<std::string> & closings)
    : vocab_(vocab), openings_(forbidden(openings, closings)), closings_(closings) {}

void ThoughtGuard::reset() {
    openings_.reset();
    closings_.reset();
    closed_ = false;
}

bool ThoughtGuard::allows(int32_t token) {
    if (closed_) {
        return true;
    }
    const std::string piece = piece_of(vocab_, token);
    if (closings_.would_end_in(piece)) {
        return true;
    }
    return !llama_vocab_is_eog(vocab_, token) && !openings_.would_end_in(piece);
}

void ThoughtGuard::accept(int32_t token) {
    for (const char byte : piece_of(vocab_, token)) {
        openings_.add(byte);
        closed_ = closings_.add(byte) > 0 || closed_;
    }
}

} // namespace dbs
