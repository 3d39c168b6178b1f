// Models, contexts and decoding: upstream's calls with their exceptions and the aborts that a caller could trigger kept inside.

#include <vector>

#include "fit.h"
#include "ggml-backend.h"

#include "guard.h"

int32_t dbs_abi_version(void) {
    return DBS_ABI_VERSION;
}

const char * dbs_llama_tag(void) {
    return DBS_LLAMA_TAG;
}

int32_t dbs_model_load(const char * const * paths, size_t n_paths, const struct llama_model_params * params, struct llama_model ** out) {
    if (paths == nullptr || n_paths == 0 || params == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::guarded(DBS_LOAD_FAILED, [&]() -> int32_t {
        std::vector<const char *> files(paths, paths + n_paths);
        for (const char * file : files) {
            if (file == nullptr) {
                return DBS_INVALID_ARGUMENT;
            }
        }
        llama_model * model = n_paths == 1 ? llama_model_load_from_file(files[0], *params)
                                           : llama_model_load_from_splits(files.data(), files.size(), *params);
        *out = model;
        return model != nullptr ? DBS_OK : DBS_LOAD_FAILED;
    });
}

int32_t dbs_context_new(struct llama_model * model, const struct llama_context_params * params, struct llama_context ** out) {
    if (model == nullptr || params == nullptr || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::guarded(DBS_LOAD_FAILED, [&]() -> int32_t {
        *out = llama_init_from_model(model, *params);
        return *out != nullptr ? DBS_OK : DBS_LOAD_FAILED;
    });
}

int32_t dbs_memory_need(const char * path, const struct llama_model_params * model_params, const struct llama_context_params * context_params,
                        dbs_device_memory * rows, int32_t max_rows, int32_t * n_rows) {
    if (path == nullptr || model_params == nullptr || context_params == nullptr || n_rows == nullptr || max_rows < 0 ||
        (rows == nullptr && max_rows > 0)) {
        return DBS_INVALID_ARGUMENT;
    }
    *n_rows = 0;
    // Upstream leaves its own callback behind when it throws, and that callback's data lies on a stack that is gone by then.
    ggml_log_callback callback      = nullptr;
    void *            callback_data = nullptr;
    llama_log_get(&callback, &callback_data);
    const int32_t status = dbs::guarded(DBS_LOAD_FAILED, [&]() -> int32_t {
        std::vector<ggml_backend_dev_t> devices;
        uint32_t                        n_layers  = 0;
        uint32_t                        n_trained = 0;
        uint32_t                        n_experts = 0;
        const common_device_memory_data_vec needs = common_get_device_memory_data(
            path, model_params, context_params, devices, n_layers, n_trained, n_experts, GGML_LOG_LEVEL_ERROR);
        *n_rows = static_cast<int32_t>(needs.size());
        if (*n_rows > max_rows) {
            return DBS_TOO_SMALL;
        }
        for (size_t i = 0; i < needs.size(); i++) {
            rows[i]         = {};
            rows[i].total   = needs[i].total;
            rows[i].free    = needs[i].free;
            rows[i].model   = needs[i].model;
            rows[i].context = needs[i].context;
            rows[i].compute = needs[i].compute;
            rows[i].is_host = i + 1 == needs.size() ? 1 : 0;
        }
        return DBS_OK;
    });
    llama_log_set(callback, callback_data);
    return status;
}

namespace {

// llama.cpp asserts on, and so ends the process for, batches that do not fit; token ids it checks itself but says them in the log.
bool batch_fits(const llama_context * ctx, const llama_batch * batch, uint32_t max_tokens) {
    if (batch->n_tokens <= 0 || static_cast<uint32_t>(batch->n_tokens) > max_tokens) {
        return false;
    }
    if ((batch->token == nullptr) == (batch->embd == nullptr)) {
        return false;
    }
    if (batch->token != nullptr) {
        const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(ctx)));
        for (int32_t i = 0; i < batch->n_tokens; i++) {
            if (batch->token[i] < 0 || batch->token[i] >= n_vocab) {
                return false;
            }
        }
    }
    return true;
}

} // namespace

int32_t dbs_decode(struct llama_context * ctx, const struct llama_batch * batch, int32_t * code) {
    if (ctx == nullptr || batch == nullptr || code == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *code = 0;
    // A context without a memory (an embedding model's) decodes by encoding, which takes one ubatch at most.
    const uint32_t max_tokens = llama_get_memory(ctx) != nullptr ? llama_n_batch(ctx) : llama_n_ubatch(ctx);
    if (!batch_fits(ctx, batch, max_tokens)) {
        return DBS_INVALID_ARGUMENT;
    }
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        *code = llama_decode(ctx, *batch);
        return DBS_OK;
    });
}

int32_t dbs_encode(struct llama_context * ctx, const struct llama_batch * batch, int32_t * code) {
    if (ctx == nullptr || batch == nullptr || code == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *code = 0;
    if (!batch_fits(ctx, batch, llama_n_ubatch(ctx))) {
        return DBS_INVALID_ARGUMENT;
    }
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        *code = llama_encode(ctx, *batch);
        return DBS_OK;
    });
}
