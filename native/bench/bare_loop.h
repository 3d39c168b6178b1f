// The barest greedy decode loop on llama.cpp, and the context it runs on. Nothing but llama.cpp's own work is between two steps.
#pragma once

#include <chrono>
#include <cinttypes>
#include <cmath>
#include <string>
#include <vector>

#include <unistd.h>

#include "../shim/argmax.h"
#include "arguments.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"
#include "prompts.h"

/** How a context computes. */
struct Tuning {
    int         threads    = 1;
    bool        threadpool = true;
    int         poll       = 50;
    std::string flash      = "auto"; // on, off, auto
    bool        unified    = false;
};

/** What a context has room for. */
struct Room {
    int ctx    = 2048; // tokens for each sequence
    int slots  = 1;    // sequences
    int batch  = 512;
    int ubatch = 512;
};

/** What a loop does with its prompts. */
struct Task {
    int  parallel   = 1;
    int  predict    = 64;
    bool ignore_eos = false;
    bool reuse      = false; // keep a stream's memory from round to round
    bool gaps       = false; // note how far each token's logit was above the second best
};

/** Opens what every program here needs, and says only errors. */
inline void open_backend(const std::string & libs) {
    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) {
            std::fputs(text, stderr);
        }
    }, nullptr);
    ggml_backend_load_all_from_path(libs.c_str());
    llama_backend_init();
}

inline llama_model * open_model(const std::string & path, int gpu_layers) {
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers       = gpu_layers;
    llama_model * model       = llama_model_load_from_file(path.c_str(), params);
    if (model == nullptr) {
        fail("cannot load " + path);
    }
    return model;
}

inline int cores() {
    return static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

/** Where llama.cpp's plug-ins lie beside this program. */
inline std::string default_libs(const char * program) {
    const std::string path  = program;
    const size_t      slash = path.rfind('/');
    return (slash == std::string::npos ? "." : path.substr(0, slash)) + "/../lib/" + BENCH_PLATFORM;
}

/** A context with its thread pool. The packages' CPU libraries make a pool for every call where none is attached. */
class Context {
  public:
    Context(llama_model * model, const Room & room, const Tuning & tuning) {
        llama_context_params params = llama_context_default_params();
        params.n_ctx                = static_cast<uint32_t>(room.ctx) * static_cast<uint32_t>(room.slots);
        params.n_batch              = static_cast<uint32_t>(std::max(room.batch, room.slots));
        params.n_ubatch             = static_cast<uint32_t>(room.ubatch);
        params.n_seq_max            = static_cast<uint32_t>(room.slots);
        params.n_outputs_max        = static_cast<uint32_t>(room.slots);
        params.n_threads            = tuning.threads;
        params.n_threads_batch      = tuning.threads;
        params.kv_unified           = tuning.unified;
        params.no_perf              = true;
        params.flash_attn_type      = tuning.flash == "on" ? LLAMA_FLASH_ATTN_TYPE_ENABLED : tuning.flash == "off" ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
        raw                         = llama_init_from_model(model, params);
        if (raw == nullptr) {
            fail("no context of " + std::to_string(params.n_ctx) + " tokens");
        }
        if (tuning.threadpool) {
            attach(tuning);
        }
    }

    ~Context() {
        llama_free(raw);
        if (pool != nullptr) {
            release(pool);
        }
    }

    Context(const Context &)             = delete;
    Context & operator=(const Context &) = delete;

    llama_context * get() const { return raw; }

    /** Whether a pool is attached; a backend may have none to offer. */
    bool has_pool() const { return pool != nullptr; }

  private:
    /** The pool is made by the backend that was picked for this machine: libggml-base has no CPU code of its own. */
    void attach(const Tuning & tuning) {
        ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (cpu == nullptr) {
            return;
        }
        ggml_backend_reg_t reg  = ggml_backend_dev_backend_reg(cpu);
        const auto         make = reinterpret_cast<ggml_threadpool * (*) (ggml_threadpool_params *)>(ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_new"));
        release                 = reinterpret_cast<void (*)(ggml_threadpool *)>(ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_free"));
        if (make == nullptr || release == nullptr) {
            return;
        }
        ggml_threadpool_params params = ggml_threadpool_params_default(tuning.threads);
        params.poll                   = static_cast<uint32_t>(tuning.poll);
        pool                          = make(&params);
        llama_attach_threadpool(raw, pool, pool);
    }

    llama_context *   raw            = nullptr;
    ggml_threadpool * pool           = nullptr;
    void (*release)(ggml_threadpool *) = nullptr;
};

/** What a stream is doing, and what its memory holds. */
struct Stream {
    std::vector<llama_token> held; // tokens in the cache
    std::vector<llama_token> generated;
    std::vector<float>       gaps;
    llama_token              next   = -1;
    bool                     active = false;
};

/** Counts of a loop. The first token of a stream comes out of its prefill, so a stream of n tokens decodes n - 1. */
struct Totals {
    int64_t prefill_tokens  = 0;
    int64_t decode_tokens   = 0;
    int64_t decode_steps    = 0;
    double  prefill_seconds = 0;
    double  decode_seconds  = 0;

    double prefill_rate() const { return prefill_seconds > 0 ? static_cast<double>(prefill_tokens) / prefill_seconds : 0.0; }
    double decode_rate() const { return decode_seconds > 0 ? static_cast<double>(decode_tokens) / decode_seconds : 0.0; }
};

class Loop {
  public:
    Loop(const Task & task, const Room & room, llama_model * model, llama_context * ctx)
        : task(task), vocab(llama_model_get_vocab(model)), n_vocab(llama_vocab_n_tokens(vocab)), batch_tokens(room.batch), ctx(ctx),
          streams(static_cast<size_t>(task.parallel)), batch(llama_batch_init(std::max(room.batch, room.slots), 0, 1)) {
        rows.reserve(streams.size());
    }

    ~Loop() { llama_batch_free(batch); }

    Loop(const Loop &)             = delete;
    Loop & operator=(const Loop &) = delete;

    /** Decodes one prompt in each stream, for so many seconds at most; the streams' answers stay until the next round. */
    size_t round(const std::vector<Prompt> & prompts, size_t first, double most_seconds = HUGE_VAL) {
        const size_t n = std::min(streams.size(), prompts.size() - first);
        for (size_t s = 0; s < n; s++) {
            prefill(s, prompts[first + s]);
        }
        decode(INT32_MAX, most_seconds);
        return n;
    }

    /** Runs prefill and some steps, for a second at most, that are not counted: pages are touched, threads are awake, clocks are up. */
    void warm_up(const std::vector<Prompt> & prompts, int steps) {
        for (size_t s = 0; s < std::min(streams.size(), prompts.size()); s++) {
            prefill(s, prompts[s]);
        }
        decode(steps, 1);
        for (Stream & stream : streams) {
            stream = Stream();
        }
        totals = Totals();
    }

    const Stream & stream(size_t s) const { return streams[s]; }

    Totals totals;

  private:
    using Clock = std::chrono::steady_clock;

    static double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

    void add(llama_token token, llama_pos pos, size_t stream, bool wants_logits) {
        const int32_t i    = batch.n_tokens++;
        batch.token[i]     = token;
        batch.pos[i]       = pos;
        batch.n_seq_id[i]  = 1;
        batch.seq_id[i][0] = static_cast<llama_seq_id>(stream);
        batch.logits[i]    = wants_logits ? 1 : 0;
    }

    void run() {
        const int32_t code = llama_decode(ctx, batch);
        if (code != 0) {
            fail("llama_decode answered " + std::to_string(code));
        }
    }

    void prefill(size_t s, const Prompt & prompt) {
        Stream & stream = streams[s];
        size_t   kept   = 0;
        if (task.reuse) {
            // The last token is always computed: its logits are wanted.
            while (kept < stream.held.size() && kept + 1 < prompt.size() && stream.held[kept] == prompt[kept]) {
                kept++;
            }
        }
        llama_memory_seq_rm(llama_get_memory(ctx), static_cast<llama_seq_id>(s), static_cast<llama_pos>(kept), -1);
        stream        = Stream();
        stream.active = true;
        stream.held.reserve(prompt.size() + static_cast<size_t>(task.predict));
        stream.held.assign(prompt.begin(), prompt.end());
        stream.generated.reserve(static_cast<size_t>(task.predict));

        const auto begin = Clock::now();
        for (size_t at = kept; at < prompt.size();) {
            batch.n_tokens   = 0;
            const size_t end = std::min(prompt.size(), at + static_cast<size_t>(batch_tokens));
            for (; at < end; at++) {
                add(prompt[at], static_cast<llama_pos>(at), s, at + 1 == prompt.size());
            }
            run();
        }
        choose(stream, batch.n_tokens - 1);
        totals.prefill_seconds += seconds_since(begin);
        totals.prefill_tokens += static_cast<int64_t>(prompt.size() - kept);
    }

    void decode(int most_steps, double most_seconds) {
        const auto begin = Clock::now();
        for (int step = 0; step < most_steps && (most_seconds == HUGE_VAL || seconds_since(begin) < most_seconds); step++) {
            batch.n_tokens = 0;
            rows.clear();
            for (size_t s = 0; s < streams.size(); s++) {
                Stream & stream = streams[s];
                if (stream.active) {
                    add(stream.next, static_cast<llama_pos>(stream.held.size()), s, true);
                    stream.held.push_back(stream.next);
                    rows.push_back(&stream);
                }
            }
            if (rows.empty()) {
                break;
            }
            run();
            for (size_t row = 0; row < rows.size(); row++) {
                choose(*rows[row], static_cast<int32_t>(row));
            }
            totals.decode_tokens += static_cast<int64_t>(rows.size());
            totals.decode_steps++;
        }
        totals.decode_seconds += seconds_since(begin);
    }

    /** Takes the most likely token of a batch row, the lowest id among equals. */
    void choose(Stream & stream, int32_t row) {
        const float * logits = llama_get_logits_ith(ctx, row);
        const int32_t best   = argmax(logits, n_vocab);
        if (!task.ignore_eos && llama_vocab_is_eog(vocab, best)) {
            stream.active = false;
            return;
        }
        if (task.gaps) {
            float second = -1e30f;
            for (int32_t id = 0; id < n_vocab; id++) {
                second = id != best && logits[id] > second ? logits[id] : second;
            }
            stream.gaps.push_back(logits[best] - second);
        }
        stream.generated.push_back(best);
        stream.next   = best;
        stream.active = static_cast<int>(stream.generated.size()) < task.predict;
    }

    const Task            task;
    const llama_vocab *   vocab;
    const int32_t         n_vocab;
    const int             batch_tokens;
    llama_context *       ctx;
    std::vector<Stream>   streams;
    std::vector<Stream *> rows;
    llama_batch           batch;
};
