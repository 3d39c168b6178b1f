// A check that counts, and the model that every test runs on.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "darkbloom_shim.h"

inline int failures = 0;
inline int checks   = 0;

#define CHECK(condition)                                                                \
    do {                                                                                \
        checks++;                                                                       \
        if (!(condition)) {                                                             \
            failures++;                                                                 \
            std::fprintf(stdout, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
        }                                                                               \
    } while (0)

#define CHECK_STATUS(expected, call)                                                                                    \
    do {                                                                                                                \
        checks++;                                                                                                       \
        const int32_t status_ = (call);                                                                                 \
        if (status_ != (expected)) {                                                                                    \
            failures++;                                                                                                 \
            std::fprintf(stdout, "%s:%d: status %d, expected %s: %s\n", __FILE__, __LINE__, status_, #expected, #call); \
        }                                                                                                               \
    } while (0)

inline dbs_slice slice(const std::string & text) {
    return { text.data(), text.size() };
}

inline std::string text(const dbs_slice & slice) {
    return std::string(slice.data != nullptr ? slice.data : "", slice.size);
}

/** The demo model, loaded once. */
struct Demo {
    std::string         path;
    llama_model *       model   = nullptr;
    const llama_vocab * vocab   = nullptr;
    dbs_pieces *        pieces  = nullptr;

    std::string piece(int32_t token) const {
        dbs_pieces_view view;
        dbs_pieces_get(pieces, &view);
        return std::string(view.bytes + view.offsets[token], view.offsets[token + 1] - view.offsets[token]);
    }

    bool ends_generation(int32_t token) const {
        dbs_pieces_view view;
        dbs_pieces_get(pieces, &view);
        return (view.flags[token] & DBS_TOKEN_END_OF_GENERATION) != 0;
    }

    std::vector<int32_t> tokens(const std::string & text) const {
        std::vector<int32_t> out(text.size() + 8);
        int32_t              n = 0;
        CHECK_STATUS(DBS_OK, dbs_tokenize(vocab, text.data(), text.size(), out.data(), static_cast<int32_t>(out.size()), true, true, &n));
        out.resize(static_cast<size_t>(n));
        return out;
    }

    llama_context * context() const {
        llama_context_params params = llama_context_default_params();
        params.n_ctx                = 1024;
        params.n_batch              = 512;
        // One: threads that wait for each other at every node crawl where other work shares the cores.
        params.n_threads            = 1;
        params.n_threads_batch      = 1;
        llama_context * ctx         = nullptr;
        CHECK_STATUS(DBS_OK, dbs_context_new(model, &params, &ctx));
        return ctx;
    }

    /** Decodes `tokens` from an empty memory, logits for the last one. */
    void prefill(llama_context * ctx, std::vector<int32_t> & tokens) const {
        llama_memory_clear(llama_get_memory(ctx), true);
        llama_batch batch = llama_batch_get_one(tokens.data(), static_cast<int32_t>(tokens.size()));
        int32_t     code  = -1;
        CHECK_STATUS(DBS_OK, dbs_decode(ctx, &batch, &code));
        CHECK(code == 0);
    }

    void step(llama_context * ctx, int32_t token) const {
        llama_batch batch = llama_batch_get_one(&token, 1);
        int32_t     code  = -1;
        CHECK_STATUS(DBS_OK, dbs_decode(ctx, &batch, &code));
        CHECK(code == 0);
    }

    /** Prefill, then sample until the end of generation or `max_tokens`; the text without the end's token. */
    std::string generate(llama_context * ctx, dbs_sampler * sampler, std::vector<int32_t> prompt, int max_tokens) const {
        std::string out;
        prefill(ctx, prompt);
        for (int i = 0; i < max_tokens; i++) {
            int32_t token = -1;
            if (dbs_sampler_sample(sampler, ctx, -1, &token) != DBS_OK || ends_generation(token)) {
                break;
            }
            out += piece(token);
            step(ctx, token);
        }
        return out;
    }
};

/** Settings with everything off, greedy. */
inline dbs_sampling greedy() {
    dbs_sampling s       = {};
    s.top_p              = 1.0f;
    s.typical_p          = 1.0f;
    s.penalty_repeat     = 1.0f;
    s.dynatemp_exponent  = 1.0f;
    s.dry_base           = 1.75f;
    s.dry_allowed_length = 2;
    s.adaptive_target    = -1.0f;
    s.mirostat_tau       = 5.0f;
    s.mirostat_eta       = 0.1f;
    s.n_ctx              = 1024;
    return s;
}

void test_vocabulary(const Demo & demo);
void test_tokenizing(const Demo & demo, const std::string & vocabulary_dir);
void test_sampling(const Demo & demo);
void test_grammars(const Demo & demo);
void test_schemas(const Demo & demo);
void test_constraints(const Demo & demo, const std::string & reference);
void test_chat(const Demo & demo);
void test_parser(const Demo & demo);
void test_models(const Demo & demo);
void test_memory(const Demo & demo);
void test_triggers();
void test_hostile(const Demo & demo);
void test_history(const Demo & demo, const std::string & directory);
void test_goldens(const Demo & demo, const std::string & directory, const std::string & golden_file);
void test_response_formats(const Demo & demo, const std::string & directory);
void test_tools(const Demo & demo, const std::string & directory);
void test_arguments(const Demo & demo, const std::string & directory);
void test_templates(const Demo & demo, const std::string & directory);
