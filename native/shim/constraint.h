// A grammar as a sampler meets it: whole tokens, ends of generation, triggers.
#pragma once

#include <cstdint>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "grammar_matcher.h"

namespace dbs {

/** What wakes a lazy grammar: a word, or a regular expression whose first matching group, if it has any, begins the grammar's text. */
struct Trigger {
    bool        is_word;
    std::string text;
};

/**
 * One grammar that constrains one answer. Follows upstream's rules for tokens: those that end generation are allowed where the grammar may
 * end and change nothing, a token without text never is; a lazy grammar lets everything pass until a trigger, and is then given the text
 * from the trigger on. In one point it is stricter: upstream also allows tokens within which a token of the grammar would have to begin,
 * and throws when they are accepted.
 *
 * One thread at a time. The vocabulary outlives it.
 */
class Constraint {
  public:
    /** Compiles GBNF that gbnf_is_safe has passed; NULL where it is refused. Needs a deep stack. May throw. */
    static std::unique_ptr<Constraint> compile(const llama_vocab * vocab, const std::string & gbnf);

    /** As above, asleep until one of the tokens or triggers comes. Throws on an expression that is none. */
    static std::unique_ptr<Constraint> compile_lazy(const llama_vocab * vocab, const std::string & gbnf, std::vector<llama_token> tokens,
                                                    const std::vector<Trigger> & triggers);

    /** Begins a step, which is granted a bounded amount of work; the functions below throw where it is used up. */
    void begin_step() { matcher_.renew(); }

    /** Whether the token may come next. */
    bool allows(int32_t token);

    /** Takes the bits of tokens that may not come next away. `bits` has one for each token, 64 in a word. */
    void restrict(std::vector<uint64_t> & bits);

    /** Moves on by a token. Throws where it is not allowed. */
    void accept(int32_t token);

  private:
    struct Pattern {
        bool        is_word;
        std::string text;
        std::regex  regex; // unused for a word
    };

    struct Buffered {
        int32_t token;
        size_t  begin; // into buffer_
        size_t  end;
    };

    Constraint(const llama_vocab * vocab, std::shared_ptr<SharedTrie> shared, GrammarRules rules);

    void   watch(int32_t token, const std::string & piece);
    size_t find(const Pattern & pattern, size_t n_known) const;

    const llama_vocab *               vocab_;
    const std::shared_ptr<SharedTrie> shared_;
    GrammarMatcher                    matcher_;
    bool                              asleep_ = false;
    std::vector<llama_token>          wake_tokens_;
    std::vector<Pattern>              patterns_;
    std::string                       buffer_; // what came while asleep
    std::vector<Buffered>             buffered_;
};

} // namespace dbs
