// The CPU threads of one context.

#include <ctime>
#include <memory>

#include "ggml-backend.h"
#include "ggml.h"

#include "guard.h"

namespace {

using make_pool = ggml_threadpool * (*) (ggml_threadpool_params *);
using free_pool = void (*)(ggml_threadpool *);

constexpr int32_t max_threads = 512; // GGML_MAX_N_THREADS, on which the backend asserts
constexpr int32_t max_poll    = 100;

} // namespace

struct dbs_pool {
    ggml_threadpool * threads = nullptr;
    free_pool         release = nullptr;

    ~dbs_pool() {
        if (threads != nullptr) {
            release(threads);
        }
    }
};

int32_t dbs_pool_attach(struct llama_context * ctx, int32_t n_threads, int32_t poll, dbs_pool ** out) {
    if (ctx == nullptr || out == nullptr || n_threads < 1 || n_threads > max_threads || poll < 0 || poll > max_poll) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (cpu == nullptr) {
            return DBS_OK;
        }
        // From the backend that was picked for this machine: there is one library for each kind of CPU.
        ggml_backend_reg_t reg     = ggml_backend_dev_backend_reg(cpu);
        const auto         make    = reinterpret_cast<make_pool>(ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_new"));
        const auto         release = reinterpret_cast<free_pool>(ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_free"));
        if (make == nullptr || release == nullptr) {
            return DBS_OK;
        }
        auto                   pool   = std::make_unique<dbs_pool>();
        ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
        params.poll                   = static_cast<uint32_t>(poll);
        pool->release                 = release;
        pool->threads                 = make(&params);
        if (pool->threads == nullptr) {
            return DBS_NO_MEMORY;
        }
        llama_attach_threadpool(ctx, pool->threads, pool->threads);
        *out = pool.release();
        return DBS_OK;
    });
}

int64_t dbs_thread_cpu_nanos(void) {
    timespec used = {};
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0 ? static_cast<int64_t>(used.tv_sec) * 1000000000 + used.tv_nsec : 0;
}

void dbs_pool_free(dbs_pool * pool) {
    delete pool;
}
