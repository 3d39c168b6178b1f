// A compiled grammar, as chat templates and callers make it and a sampler takes it.
#pragma once

#include "darkbloom_shim.h"

struct dbs_grammar {
    llama_sampler * rules    = nullptr; // llama.cpp's grammar sampler
    llama_sampler * thinking = nullptr; // follows a thought's tags; NULL unless a lazy grammar must sleep while the model thinks
    bool            lazy     = false;

    ~dbs_grammar() {
        llama_sampler_free(rules);
        llama_sampler_free(thinking);
    }
};
