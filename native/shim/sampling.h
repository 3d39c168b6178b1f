// A compiled grammar, as chat templates and callers make it and a sampler takes it.
#pragma once

#include <memory>

#include "constraint.h"
#include "darkbloom_shim.h"

struct dbs_grammar {
    std::unique_ptr<dbs::Constraint> rules;
    std::unique_ptr<dbs::Constraint> opening;            // a second one that only says how the answer begins; mostly NULL
    llama_sampler *                  thinking = nullptr; // follows a thought's tags for the one that must sleep meanwhile; NULL when none must
    std::unique_ptr<dbs::ThoughtGuard> thought;          // what a thought may not hold; NULL where `thinking` is
    bool                             lazy     = false;   // `rules` sleep during a thought, and then until a trigger; otherwise only `opening` sleeps

    dbs_grammar() = default;
    dbs_grammar(const dbs_grammar &) = delete;
    dbs_grammar & operator=(const dbs_grammar &) = delete;
    ~dbs_grammar() { llama_sampler_free(thinking); }
};
