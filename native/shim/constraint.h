// A grammar as a sampler meets it: whole tokens, ends of generation, triggers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grammar_matcher.h"
#include "trigger_watch.h"

namespace dbs {

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
    Constraint(const llama_vocab * vocab, std::shared_ptr<SharedTrie> shared, GrammarRules rules);

    void watch(int32_t token, const std::string & piece);

    const llama_vocab *               vocab_;
    const std::shared_ptr<SharedTrie> shared_;
    GrammarMatcher                    matcher_;
    std::vector<llama_token>          wake_tokens_;
    std::unique_ptr<TriggerWatch>     watch_; // NULL once awake
};

/**
 * What may not come while a thought is open, where tools may be called: what opens a call, and the end. A call in a thought would be read as a
 * part of the thought, and an answer that ends there says nothing.
 *
 * The thought is over with the text of one of its closing tags, whatever tokens that is made of: an end that is forbidden by mistake would
 * leave the model talking until its tokens are spent. One thread at a time. The vocabulary outlives it.
 */
class ThoughtGuard {
  public:
    /** `openings` that are part of a closing tag, or hold one, are left out: there a call is what closes the thought. */
    ThoughtGuard(const llama_vocab * vocab, const std::vector<std::string> & openings, const std::vector<std::string> & closings);

    /** A thought begins. */
    void reset();

    /** Whether the token may come next. */
    bool allows(int32_t token);

    /** Moves on by a token of the thought, its closing tag included. */
    void accept(int32_t token);

  private:
    const llama_vocab * vocab_;
    MarkMatcher         openings_;
    MarkMatcher         closings_;
    bool                closed_ = false;
};

} // namespace dbs
