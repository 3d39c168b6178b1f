// The barest decode loop on llama.cpp: what the agent's speed is measured against, and whose greedy tokens it must produce.

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <unistd.h>

#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "llama.h"

namespace {

const char * const usage = R"(Usage: llama-bare -m MODEL (--ids FILE | --text FILE) [options]

Decodes every prompt greedily and prints JSON lines: with --print-ids one per prompt, and one summary at the end.
Prompts are taken in rounds of --parallel; in a round each prompt is prefilled by itself, then all decode together, one token each a step.

prompts
  --ids FILE            a prompt a line, token ids separated by blanks
  --text FILE           a prompt a line, tokenized here; special tokens are read as such, \n and \\ are escapes
  --prompts N           so many prompts, from the file's beginning again where it ends (the file's, or --parallel if that is more)

loop
  --parallel N          streams at a time (1)
  --predict N           tokens at most for each prompt (64)
  --ignore-eos          do not stop at the end of generation: every prompt gets all its tokens
  --reuse-prefix        a stream keeps its memory from round to round and computes only what differs from its prompt before

context
  --ctx N               tokens for each stream (2048)
  --batch N             prompt tokens for each call (512)
  --ubatch N            tokens computed at once (512)
  --threads N           compute threads (the machine's, at most 4)
  --threadpool on|off   attach one pool for the run instead of letting each call make its own (on)
  --poll N              how eagerly the pool's threads wait, 0 to 100 (50)
  --flash-attn on|off|auto   (auto)
  --kv unified|streams  one cache for all streams, or one each (streams)
  --gpu-layers N        layers on the GPU; negative: all (-1)

output
  --print-ids           {"prompt": 0, "ids": [...]} for each prompt
  --logits              with --print-ids: "gaps", for each token how far its logit was above the second best; small gaps are where another
                        batch shape may choose differently
  --libs DIR            where llama.cpp's plug-ins are (../lib/PLATFORM beside this program's directory)
)";

struct Options {
    std::string model;
    std::string ids_file;
    std::string text_file;
    std::string libs;
    int         prompts    = 0;
    int         parallel   = 1;
    int         predict    = 64;
    int         ctx        = 2048;
    int         batch      = 512;
    int         ubatch     = 512;
    int         threads    = 0;
    int         poll       = 50;
    int         gpu_layers = -1;
    bool        threadpool = true;
    bool        unified    = false;
    bool        ignore_eos = false;
    bool        reuse      = false;
    bool        print_ids  = false;
    bool        logits     = false;
    std::string flash      = "auto";
};

[[noreturn]] void fail(const std::string & message) {
    std::fprintf(stderr, "llama-bare: %s\n", message.c_str());
    std::exit(2);
}

Options read_options(int argc, char ** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string name  = argv[i];
        const auto        value = [&]() -> std::string {
            if (++i >= argc) {
                fail(name + " wants a value; see --help");
            }
            return argv[i];
        };
        const auto number = [&](int least) {
            const std::string text = value();
            char *            end  = nullptr;
            const long        read = std::strtol(text.c_str(), &end, 10);
            if (*end != '\0' || text.empty() || read < least || read > 100000000) {
                fail(name + " wants a number of at least " + std::to_string(least) + ", not '" + text + "'");
            }
            return static_cast<int>(read);
        };
        const auto one_of = [&](const std::vector<std::string> & names) {
            const std::string text = value();
            if (std::find(names.begin(), names.end(), text) == names.end()) {
                fail(name + " does not know '" + text + "'; see --help");
            }
            return text;
        };
        if (name == "-m" || name == "--model") {
            options.model = value();
        } else if (name == "--ids") {
            options.ids_file = value();
        } else if (name == "--text") {
            options.text_file = value();
        } else if (name == "--libs") {
            options.libs = value();
        } else if (name == "--prompts") {
            options.prompts = number(1);
        } else if (name == "--parallel") {
            options.parallel = number(1);
        } else if (name == "--predict") {
            options.predict = number(1);
        } else if (name == "--ctx") {
            options.ctx = number(8);
        } else if (name == "--batch") {
            options.batch = number(1);
        } else if (name == "--ubatch") {
            options.ubatch = number(1);
        } else if (name == "--threads") {
            options.threads = number(1);
        } else if (name == "--poll") {
            options.poll = number(0);
        } else if (name == "--gpu-layers") {
            options.gpu_layers = number(-1);
        } else if (name == "--threadpool") {
            options.threadpool = one_of({ "on", "off" }) == "on";
        } else if (name == "--flash-attn") {
            options.flash = one_of({ "on", "off", "auto" });
        } else if (name == "--kv") {
            options.unified = one_of({ "unified", "streams" }) == "unified";
        } else if (name == "--ignore-eos") {
            options.ignore_eos = true;
        } else if (name == "--reuse-prefix") {
            options.reuse = true;
        } else if (name == "--print-ids") {
            options.print_ids = true;
        } else if (name == "--logits") {
            options.logits = true;
        } else if (name == "-h" || name == "--help") {
            std::fputs(usage, stdout);
            std::exit(0);
        } else {
            fail("unknown option " + name + "; see --help");
        }
    }
    if (options.model.empty() || options.ids_file.empty() == options.text_file.empty()) {
        fail("a model and one file of prompts are needed; see --help");
    }
    return options;
}

std::string unescaped(const std::string & line) {
    std::string out;
    for (size_t i = 0; i < line.size(); i++) {
        if (line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == 'n' || line[i + 1] == '\\')) {
            out += line[++i] == 'n' ? '\n' : '\\';
        } else {
            out += line[i];
        }
    }
    return out;
}

std::vector<llama_token> tokens_of(const llama_vocab * vocab, const std::string & text) {
    std::vector<llama_token> tokens(text.size() + 8);
    const int32_t n = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), tokens.data(), static_cast<int32_t>(tokens.size()), true, true);
    if (n < 0) {
        fail("a prompt of " + std::to_string(text.size()) + " bytes does not tokenize");
    }
    tokens.resize(static_cast<size_t>(n));
    return tokens;
}

std::vector<std::vector<llama_token>> read_prompts(const Options & options, const llama_vocab * vocab) {
    const bool        is_text = !options.text_file.empty();
    const std::string path    = is_text ? options.text_file : options.ids_file;
    std::ifstream     file(path);
    if (!file) {
        fail("cannot read " + path);
    }
    std::vector<std::vector<llama_token>> prompts;
    std::string                           line;
    while (std::getline(file, line)) {
        std::vector<llama_token> tokens;
        if (is_text) {
            tokens = tokens_of(vocab, unescaped(line));
        } else {
            std::istringstream words(line);
            for (llama_token token = 0; words >> token;) {
                if (token < 0 || token >= llama_vocab_n_tokens(vocab)) {
                    fail("prompt " + std::to_string(prompts.size()) + " holds a token that the model does not have");
                }
                tokens.push_back(token);
            }
        }
        if (tokens.empty()) {
            continue;
        }
        if (static_cast<int>(tokens.size()) + options.predict > options.ctx) {
            fail("prompt " + std::to_string(prompts.size()) + " of " + std::to_string(tokens.size()) + " tokens and " + std::to_string(options.predict) +
                 " more do not fit --ctx " + std::to_string(options.ctx));
        }
        prompts.push_back(std::move(tokens));
    }
    if (prompts.empty()) {
        fail(path + " holds no prompt");
    }
    const size_t in_file = prompts.size();
    const size_t wanted  = options.prompts > 0 ? static_cast<size_t>(options.prompts) : std::max(in_file, static_cast<size_t>(options.parallel));
    while (prompts.size() < wanted) {
        prompts.push_back(prompts[prompts.size() - in_file]);
    }
    prompts.resize(wanted);
    return prompts;
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/** What a stream is doing, and what its memory holds. */
struct Stream {
    std::vector<llama_token> held;      // tokens in the cache
    std::vector<llama_token> generated;
    std::vector<float>       gaps;
    llama_token              next   = -1;
    bool                     active = false;
};

struct Totals {
    int64_t prefill_tokens  = 0;
    int64_t decode_tokens   = 0;
    int64_t decode_steps    = 0;
    double  prefill_seconds = 0;
    double  decode_seconds  = 0;
};

class Loop {
  public:
    Loop(const Options & options, llama_model * model, llama_context * ctx)
        : options(options), vocab(llama_model_get_vocab(model)), ctx(ctx), streams(static_cast<size_t>(options.parallel)),
          batch(llama_batch_init(std::max(options.batch, options.parallel), 0, 1)) {}

    ~Loop() { llama_batch_free(batch); }

    void round(const std::vector<std::vector<llama_token>> & prompts, size_t first) {
        const size_t n = std::min(streams.size(), prompts.size() - first);
        for (size_t s = 0; s < n; s++) {
            prefill(s, prompts[first + s]);
        }
        decode();
        if (options.print_ids) {
            for (size_t s = 0; s < n; s++) {
                print(first + s, streams[s]);
            }
        }
    }

    Totals totals;

  private:
    void add(llama_token token, llama_pos pos, size_t stream, bool wants_logits) {
        const int32_t i     = batch.n_tokens++;
        batch.token[i]      = token;
        batch.pos[i]        = pos;
        batch.n_seq_id[i]   = 1;
        batch.seq_id[i][0]  = static_cast<llama_seq_id>(stream);
        batch.logits[i]     = wants_logits ? 1 : 0;
    }

    void run() {
        const int32_t code = llama_decode(ctx, batch);
        if (code != 0) {
            fail("llama_decode answered " + std::to_string(code));
        }
    }

    void prefill(size_t s, const std::vector<llama_token> & prompt) {
        Stream & stream = streams[s];
        size_t   kept   = 0;
        if (options.reuse) {
            // The last token is always computed: its logits are wanted.
            while (kept < stream.held.size() && kept + 1 < prompt.size() && stream.held[kept] == prompt[kept]) {
                kept++;
            }
        }
        llama_memory_seq_rm(llama_get_memory(ctx), static_cast<llama_seq_id>(s), static_cast<llama_pos>(kept), -1);
        stream        = Stream();
        stream.active = true;
        stream.held   = prompt;

        const auto begin = Clock::now();
        for (size_t at = kept; at < prompt.size();) {
            batch.n_tokens   = 0;
            const size_t end = std::min(prompt.size(), at + static_cast<size_t>(options.batch));
            for (; at < end; at++) {
                add(prompt[at], static_cast<llama_pos>(at), s, at + 1 == prompt.size());
            }
            run();
        }
        choose(stream, batch.n_tokens - 1);
        totals.prefill_seconds += seconds_since(begin);
        totals.prefill_tokens += static_cast<int64_t>(prompt.size() - kept);
    }

    void decode() {
        const auto begin = Clock::now();
        for (;;) {
            batch.n_tokens = 0;
            std::vector<Stream *> & rows = rows_of_step;
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
        const float * logits  = llama_get_logits_ith(ctx, row);
        const int32_t n_vocab = llama_vocab_n_tokens(vocab);
        int32_t       best    = 0;
        for (int32_t id = 1; id < n_vocab; id++) {
            if (logits[id] > logits[best]) {
                best = id;
            }
        }
        if (!options.ignore_eos && llama_vocab_is_eog(vocab, best)) {
            stream.active = false;
            return;
        }
        if (options.logits) {
            float second = -1e30f;
            for (int32_t id = 0; id < n_vocab; id++) {
                second = id != best && logits[id] > second ? logits[id] : second;
            }
            stream.gaps.push_back(logits[best] - second);
        }
        stream.generated.push_back(best);
        stream.next   = best;
        stream.active = static_cast<int>(stream.generated.size()) < options.predict;
    }

    void print(size_t prompt, const Stream & stream) const {
        std::printf("{\"prompt\": %zu, \"ids\": [", prompt);
        for (size_t i = 0; i < stream.generated.size(); i++) {
            std::printf("%s%d", i > 0 ? ", " : "", stream.generated[i]);
        }
        std::printf("]");
        if (options.logits) {
            std::printf(", \"gaps\": [");
            for (size_t i = 0; i < stream.gaps.size(); i++) {
                std::printf("%s%.4f", i > 0 ? ", " : "", static_cast<double>(stream.gaps[i]));
            }
            std::printf("]");
        }
        std::printf("}\n");
    }

    const Options &       options;
    const llama_vocab *   vocab;
    llama_context *       ctx;
    std::vector<Stream>   streams;
    std::vector<Stream *> rows_of_step;
    llama_batch           batch;
};

/** One pool for the whole run, made by the backend that was picked for this machine; the packages' CPU libraries make one for every call. */
struct Pool {
    ggml_threadpool *  pool                  = nullptr;
    void (*release)(ggml_threadpool *)       = nullptr;

    Pool(const Options & options, llama_context * ctx, int threads) {
        ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (!options.threadpool || cpu == nullptr) {
            return;
        }
        ggml_backend_reg_t reg  = ggml_backend_dev_backend_reg(cpu);
        const auto         make = reinterpret_cast<ggml_threadpool * (*) (ggml_threadpool_params *)>(ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_new"));
        release                 = reinterpret_cast<void (*)(ggml_threadpool *)>(ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_free"));
        if (make == nullptr || release == nullptr) {
            return;
        }
        ggml_threadpool_params params = ggml_threadpool_params_default(threads);
        params.poll                   = static_cast<uint32_t>(options.poll);
        pool                          = make(&params);
        llama_attach_threadpool(ctx, pool, pool);
    }

    ~Pool() {
        if (pool != nullptr) {
            release(pool);
        }
    }
};

int default_threads() {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return static_cast<int>(std::max(1L, std::min(4L, cores)));
}

std::string default_libs(const char * program) {
    std::string       path  = program;
    const size_t      slash = path.rfind('/');
    const std::string dir   = slash == std::string::npos ? "." : path.substr(0, slash);
    return dir + "/../lib/" + BENCH_PLATFORM;
}

} // namespace

int main(int argc, char ** argv) {
    const Options options = read_options(argc, argv);
    const int     threads = options.threads > 0 ? options.threads : default_threads();

    llama_log_set([](ggml_log_level level, const char * text, void *) {
        if (level == GGML_LOG_LEVEL_ERROR) {
            std::fputs(text, stderr);
        }
    }, nullptr);
    ggml_backend_load_all_from_path((options.libs.empty() ? default_libs(argv[0]) : options.libs).c_str());
    llama_backend_init();

    llama_model_params model_params = llama_model_default_params();
    model_params.n_gpu_layers       = options.gpu_layers;
    llama_model * model             = llama_model_load_from_file(options.model.c_str(), model_params);
    if (model == nullptr) {
        fail("cannot load " + options.model);
    }
    const auto prompts = read_prompts(options, llama_model_get_vocab(model));

    llama_context_params context_params = llama_context_default_params();
    context_params.n_ctx                = static_cast<uint32_t>(options.ctx) * static_cast<uint32_t>(options.parallel);
    context_params.n_batch              = static_cast<uint32_t>(std::max(options.batch, options.parallel));
    context_params.n_ubatch             = static_cast<uint32_t>(options.ubatch);
    context_params.n_seq_max            = static_cast<uint32_t>(options.parallel);
    context_params.n_threads            = threads;
    context_params.n_threads_batch      = threads;
    context_params.kv_unified           = options.unified;
    context_params.no_perf              = true;
    context_params.flash_attn_type      = options.flash == "on" ? LLAMA_FLASH_ATTN_TYPE_ENABLED : options.flash == "off" ? LLAMA_FLASH_ATTN_TYPE_DISABLED : LLAMA_FLASH_ATTN_TYPE_AUTO;
    llama_context * ctx                 = llama_init_from_model(model, context_params);
    if (ctx == nullptr) {
        fail("no context of " + std::to_string(context_params.n_ctx) + " tokens");
    }
    Totals totals;
    bool   has_pool = false;
    {
        const Pool pool(options, ctx, threads);
        has_pool = pool.pool != nullptr;
        Loop loop(options, model, ctx);
        for (size_t first = 0; first < prompts.size(); first += static_cast<size_t>(options.parallel)) {
            loop.round(prompts, first);
        }
        totals = loop.totals;
        llama_free(ctx);
    }
    std::printf("{\"prompts\": %zu, \"parallel\": %d, \"prefill_tokens\": %" PRId64 ", \"prefill_tokens_per_second\": %.1f, \"decode_tokens\": %" PRId64
                ", \"decode_steps\": %" PRId64 ", \"decode_tokens_per_second\": %.1f, \"threads\": %d, \"threadpool\": %s, \"poll\": %d, \"flash_attn\": \"%s\", "
                "\"kv\": \"%s\", \"ubatch\": %d, \"batch\": %d, \"llama\": \"%s\"}\n",
                prompts.size(), options.parallel, totals.prefill_tokens, totals.prefill_seconds > 0 ? static_cast<double>(totals.prefill_tokens) / totals.prefill_seconds : 0.0,
                totals.decode_tokens, totals.decode_steps, totals.decode_seconds > 0 ? static_cast<double>(totals.decode_tokens) / totals.decode_seconds : 0.0,
                threads, has_pool ? "true" : "false", options.poll, options.flash.c_str(), options.unified ? "unified" : "streams", options.ubatch, options.batch,
                llama_version());
    llama_model_free(model);
    llama_backend_free();
    return 0;
}
