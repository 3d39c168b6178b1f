// A compiled grammar, as chat templates and callers make it and a sampler takes it.
#pragma once

#include "darkbloom_shim.h"

struct dbs_grammar {
    llama_sampler * rules    = nullptr; // llama.cpp's grammar sampler
    llama_sampler * opening  = nullptr; // a second one that only says how the answer begins; mostly NULL
    llama_sampler * thinking = nullptr; // follows a thought's tags for the one that must sleep meanwhile; NULL when none must
    bool            lazy     = false;   // `rules` sleep during a thought, and then until a trigger; otherwise only `opening` sleeps

    ~dbs_grammar() {
        llama_sampler_free(rules);
        llama_sampler_free(opening);
        llama_sampler_free(thinking);
    }
};
