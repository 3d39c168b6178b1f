// The barest decode loop on llama.cpp: what the agent's speed is measured against, and whose greedy tokens it must produce.

#include "bare_loop.h"

namespace {

const char * const usage = R"(Usage: llama-bare -m MODEL (--ids FILE | --text FILE) [options]

Decodes every prompt greedily and prints JSON lines: with --print-ids one per prompt, and one summary at the end.
Prompts are taken in rounds of --parallel; in a round each prompt is prefilled by itself, then all decode together, one token each a step.
The decode figure counts the steps only: a stream's first token belongs to its prefill.

prompts
  --ids FILE            a prompt a line, token ids separated by blanks
  --text FILE           a prompt a line, tokenized here; special tokens are read as such, \n and \\ are escapes
  --prompts N           so many prompts, from the file's beginning again where it ends (the file's, or --parallel if that is more)

loop
  --parallel N          streams at a time (1)
  --predict N           tokens at most for each prompt (64)
  --ignore-eos          do not stop at the end of generation: every prompt gets all its tokens
  --reuse-prefix        a stream keeps its memory from round to round and computes only what differs from its prompt before
  --warmup N            steps before the clock starts (16; none with --print-ids)

context
  --ctx N               tokens for each stream (2048)
  --slots N             sequences that there is room for (--parallel)
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
    int         warmup     = -1;
    int         gpu_layers = -1;
    bool        print_ids  = false;
    Task        task;
    Room        room;
    Tuning      tuning;
};

Options read_options(int argc, char ** argv) {
    Options options;
    options.room.slots     = 0;
    options.tuning.threads = std::min(4, cores());
    options.libs           = default_libs(argv[0]);
    for (Arguments in(argc, argv); in.next();) {
        const std::string & name = in.name();
        if (name == "-m" || name == "--model") {
            options.model = in.value();
        } else if (name == "--ids") {
            options.ids_file = in.value();
        } else if (name == "--text") {
            options.text_file = in.value();
        } else if (name == "--libs") {
            options.libs = in.value();
        } else if (name == "--prompts") {
            options.prompts = in.number(1);
        } else if (name == "--parallel") {
            options.task.parallel = in.number(1);
        } else if (name == "--predict") {
            options.task.predict = in.number(1);
        } else if (name == "--warmup") {
            options.warmup = in.number(0);
        } else if (name == "--ctx") {
            options.room.ctx = in.number(8);
        } else if (name == "--slots") {
            options.room.slots = in.number(1);
        } else if (name == "--batch") {
            options.room.batch = in.number(1);
        } else if (name == "--ubatch") {
            options.room.ubatch = in.number(1);
        } else if (name == "--threads") {
            options.tuning.threads = in.number(1);
        } else if (name == "--poll") {
            options.tuning.poll = in.number(0);
        } else if (name == "--gpu-layers") {
            options.gpu_layers = in.number(-1);
        } else if (name == "--threadpool") {
            options.tuning.threadpool = in.one_of({ "on", "off" }) == "on";
        } else if (name == "--flash-attn") {
            options.tuning.flash = in.one_of({ "on", "off", "auto" });
        } else if (name == "--kv") {
            options.tuning.unified = in.one_of({ "unified", "streams" }) == "unified";
        } else if (name == "--ignore-eos") {
            options.task.ignore_eos = true;
        } else if (name == "--reuse-prefix") {
            options.task.reuse = true;
        } else if (name == "--print-ids") {
            options.print_ids = true;
        } else if (name == "--logits") {
            options.task.gaps = true;
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
    options.room.slots = std::max(options.room.slots, options.task.parallel);
    if (options.warmup < 0) {
        options.warmup = options.print_ids ? 0 : 16;
    }
    return options;
}

void print(size_t prompt, const Stream & stream, bool with_gaps) {
    std::printf("{\"prompt\": %zu, \"ids\": [", prompt);
    for (size_t i = 0; i < stream.generated.size(); i++) {
        std::printf("%s%d", i > 0 ? ", " : "", stream.generated[i]);
    }
    std::printf("]");
    if (with_gaps) {
        std::printf(", \"gaps\": [");
        for (size_t i = 0; i < stream.gaps.size(); i++) {
            std::printf("%s%.4f", i > 0 ? ", " : "", static_cast<double>(stream.gaps[i]));
        }
        std::printf("]");
    }
    std::printf("}\n");
}

} // namespace

int main(int argc, char ** argv) {
    const Options options = read_options(argc, argv);
    open_backend(options.libs);
    llama_model * model   = open_model(options.model, options.gpu_layers);
    const bool    is_text = !options.text_file.empty();
    const auto    file    = read_prompts(is_text ? options.text_file : options.ids_file, is_text, llama_model_get_vocab(model), options.task.predict, options.room.ctx);
    const auto    prompts = repeated(file, options.prompts > 0 ? static_cast<size_t>(options.prompts) : std::max(file.size(), static_cast<size_t>(options.task.parallel)));
    {
        const Context ctx(model, options.room, options.tuning);
        Loop          loop(options.task, options.room, model, ctx.get());
        if (options.warmup > 0) {
            loop.warm_up(prompts, options.warmup);
        }
        for (size_t first = 0; first < prompts.size(); first += static_cast<size_t>(options.task.parallel)) {
            const size_t n = loop.round(prompts, first);
            for (size_t s = 0; options.print_ids && s < n; s++) {
                print(first + s, loop.stream(s), options.task.gaps);
            }
        }
        const Totals & totals = loop.totals;
        std::printf("{\"prompts\": %zu, \"parallel\": %d, \"prefill_tokens\": %" PRId64 ", \"prefill_tokens_per_second\": %.1f, \"decode_tokens\": %" PRId64
                    ", \"decode_steps\": %" PRId64 ", \"decode_tokens_per_second\": %.1f, \"threads\": %d, \"threadpool\": %s, \"poll\": %d, \"flash_attn\": \"%s\", "
                    "\"kv\": \"%s\", \"slots\": %d, \"ubatch\": %d, \"batch\": %d, \"llama\": \"%s\"}\n",
                    prompts.size(), options.task.parallel, totals.prefill_tokens, totals.prefill_rate(), totals.decode_tokens, totals.decode_steps, totals.decode_rate(),
                    options.tuning.threads, ctx.has_pool() ? "true" : "false", options.tuning.poll, options.tuning.flash.c_str(),
                    options.tuning.unified ? "unified" : "streams", options.room.slots, options.room.ubatch, options.room.batch, llama_version());
    }
    llama_model_free(model);
    llama_backend_free();
    return 0;
}
