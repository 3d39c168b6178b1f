#include "check.h"

namespace {

void files_that_are_no_models_are_refused() {
    llama_model *      model    = nullptr;
    llama_model_params params   = llama_model_default_params();
    const char *       absent[] = { "/nonexistent/model.gguf" };
    const char *       other[]  = { "/proc/self/status" };
    const char *       null[]   = { nullptr };
    CHECK_STATUS(DBS_LOAD_FAILED, dbs_model_load(absent, 1, &params, &model));
    CHECK_STATUS(DBS_LOAD_FAILED, dbs_model_load(other, 1, &params, &model));
    const char * shards[] = { "/nonexistent/1.gguf", "/nonexistent/2.gguf" };
    CHECK_STATUS(DBS_LOAD_FAILED, dbs_model_load(shards, 2, &params, &model));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_model_load(null, 1, &params, &model));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_model_load(absent, 0, &params, &model));
    CHECK(model == nullptr);
}

void batches_that_would_abort_are_refused(const Demo & demo) {
    llama_context *      ctx  = demo.context();
    int32_t              code = 0;
    std::vector<int32_t> many(513, 5);
    llama_batch          batch = llama_batch_get_one(many.data(), 513);
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_decode(ctx, &batch, &code));
    batch = llama_batch_get_one(many.data(), 0);
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_decode(ctx, &batch, &code));
    for (const int32_t wrong : { -1, llama_vocab_n_tokens(demo.vocab), INT32_MAX }) {
        int32_t token = wrong;
        batch         = llama_batch_get_one(&token, 1);
        CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_decode(ctx, &batch, &code));
        CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_encode(ctx, &batch, &code));
    }
    batch       = llama_batch_get_one(many.data(), 1);
    batch.token = nullptr;
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_decode(ctx, &batch, &code));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_decode(nullptr, &batch, &code));

    // A full context is llama.cpp's own code, not a status.
    for (int i = 0; i < 2; i++) {
        batch = llama_batch_get_one(many.data(), 512);
        CHECK_STATUS(DBS_OK, dbs_decode(ctx, &batch, &code));
        CHECK(code == 0);
    }
    batch = llama_batch_get_one(many.data(), 512);
    CHECK_STATUS(DBS_OK, dbs_decode(ctx, &batch, &code));
    CHECK(code != 0);
    llama_free(ctx);
}

void a_pool_computes_the_same(const Demo & demo) {
    auto                 prompt  = demo.tokens("Tell me a story.");
    llama_context *      plain   = demo.context();
    const dbs_sampling   settings = greedy();
    dbs_sampler *        sampler = nullptr;
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &settings, nullptr, &sampler));
    const std::string    wanted  = demo.generate(plain, sampler, prompt, 20);
    llama_free(plain);
    CHECK(!wanted.empty());
    for (const int32_t poll : { 0, 1 }) {
        llama_context * ctx  = demo.context();
        dbs_pool *      pool = nullptr;
        CHECK_STATUS(DBS_OK, dbs_pool_attach(ctx, 1, poll, &pool));
        CHECK(pool != nullptr);
        CHECK(demo.generate(ctx, sampler, prompt, 20) == wanted);
        llama_free(ctx);
        dbs_pool_free(pool);
    }
    const int64_t before = dbs_thread_cpu_nanos();
    volatile int  work   = 0;
    while (dbs_thread_cpu_nanos() == before) {
        work = work + 1; // until the clock has moved, which it does for a thread that computes
    }
    CHECK(dbs_thread_cpu_nanos() > before);
    llama_context * ctx  = demo.context();
    dbs_pool *      pool = nullptr;
    for (const int32_t threads : { 0, -1, 513, INT32_MAX }) {
        CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_pool_attach(ctx, threads, 0, &pool));
    }
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_pool_attach(ctx, 1, -1, &pool));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_pool_attach(ctx, 1, 101, &pool));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_pool_attach(nullptr, 1, 0, &pool));
    CHECK(pool == nullptr);
    llama_free(ctx);
    dbs_pool_free(nullptr);
    dbs_sampler_free(sampler);
}

void memory_is_told_before_it_is_taken(const Demo & demo) {
    const llama_model_params model_params   = llama_model_default_params();
    llama_context_params     context_params = llama_context_default_params();
    context_params.n_ctx                    = 2048;
    dbs_device_memory rows[16];
    int32_t           n = 0;
    CHECK_STATUS(DBS_OK, dbs_memory_need(demo.path.c_str(), &model_params, &context_params, rows, 16, &n));
    CHECK(n >= 1 && rows[n - 1].is_host == 1);
    uint64_t model   = 0;
    uint64_t context = 0;
    for (int32_t i = 0; i < n; i++) {
        model += rows[i].model;
        context += rows[i].context;
    }
    CHECK(model > 1500000 && model < 4000000);
    const uint64_t small = context;
    context_params.n_ctx = 8192;
    CHECK_STATUS(DBS_OK, dbs_memory_need(demo.path.c_str(), &model_params, &context_params, rows, 16, &n));
    context = 0;
    for (int32_t i = 0; i < n; i++) {
        context += rows[i].context;
    }
    CHECK(context == 4 * small);
    CHECK_STATUS(DBS_TOO_SMALL, dbs_memory_need(demo.path.c_str(), &model_params, &context_params, nullptr, 0, &n));
    CHECK(n >= 1);
    CHECK_STATUS(DBS_LOAD_FAILED, dbs_memory_need("/nonexistent.gguf", &model_params, &context_params, rows, 16, &n));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_memory_need(nullptr, &model_params, &context_params, rows, 16, &n));

    // The log callback is the one that was there before, whatever happened in between.
    ggml_log_callback callback = nullptr;
    void *            data     = nullptr;
    llama_log_get(&callback, &data);
    dbs_log_set(dbs_log_discard, nullptr);
    ggml_log_callback again = nullptr;
    llama_log_get(&again, &data);
    CHECK(callback == again);
}

} // namespace

void test_models(const Demo & demo) {
    files_that_are_no_models_are_refused();
    batches_that_would_abort_are_refused(demo);
    a_pool_computes_the_same(demo);
    memory_is_told_before_it_is_taken(demo);
}
