// The best that the barest decode loop can do on this machine: every setting that matters, at each number of streams.

#include "bare_loop.h"

namespace {

const char * const usage = R"(Usage: llama-ceiling -m MODEL --text FILE [options]

Decodes the same prompts greedily, past the end of generation, under every combination of threads, thread pool, polling, flash attention and
KV layout, and prints the speed of each and the best at each number of streams: the ceiling that other figures are held against.

Two short scouting passes go over every combination and drop those that are far behind the best. Then each repetition runs every combination
that is left once, to the end. A run has a new context, with some steps to warm up, and the order turns from pass to pass, so that a drift of
the machine's speed meets all alike. Decode counts steps only; prefill is told beside it.

  --text FILE           a prompt a line; special tokens are read as such, \n and \\ are escapes
  --streams LIST        sequences that decode together (1,4,8,16)
  --slots N             sequences that the context has room for (as many as decode)
  --threads LIST        compute threads (1 to the machine's cores, doubling)
  --predict N           tokens for each stream (200)
  --repetitions N       whole runs of each combination that was not dropped (5)
  --least-ms N          a whole run decodes its prompts again until its steps have taken so long (300)
  --scout-ms N          how long the steps of a scouting run may take (1000)
  --keep-within PERCENT how far behind the best scouts a combination may be and stay (15; 100 keeps all)
  --ctx N               tokens for each sequence (1024)
  --batch N, --ubatch N (512)
  --warmup N            steps before the clock starts (16)
  --gpu-layers N        layers on the GPU; negative: all (-1)
  --table all|best      what is printed at the end (all)
  --json FILE           write every run there, too: an array of objects
  --libs DIR            where llama.cpp's plug-ins are (../lib/PLATFORM beside this program's directory)
)";

struct Options {
    std::string      model;
    std::string      text_file;
    std::string      libs;
    std::string      json_file;
    std::vector<int> streams{ 1, 4, 8, 16 };
    std::vector<int> threads;
    int              slots       = 0;
    int              predict     = 200;
    int              repetitions = 5;
    int              keep_within = 15;
    int              least_ms    = 300;
    int              scout_ms    = 1000;
    int              warmup      = 16;
    int              gpu_layers  = -1;
    bool             table       = true;
    Room             room;
};

Options read_options(int argc, char ** argv) {
    Options options;
    options.libs     = default_libs(argv[0]);
    options.room.ctx = 1024;
    for (Arguments in(argc, argv); in.next();) {
        const std::string & name = in.name();
        if (name == "-m" || name == "--model") {
            options.model = in.value();
        } else if (name == "--text") {
            options.text_file = in.value();
        } else if (name == "--streams") {
            options.streams = in.numbers(1);
        } else if (name == "--slots") {
            options.slots = in.number(1);
        } else if (name == "--threads") {
            options.threads = in.numbers(1);
        } else if (name == "--predict") {
            options.predict = in.number(2);
        } else if (name == "--repetitions") {
            options.repetitions = in.number(1);
        } else if (name == "--least-ms") {
            options.least_ms = in.number(0);
        } else if (name == "--scout-ms") {
            options.scout_ms = in.number(1);
        } else if (name == "--keep-within") {
            options.keep_within = in.number(0);
        } else if (name == "--ctx") {
            options.room.ctx = in.number(8);
        } else if (name == "--batch") {
            options.room.batch = in.number(1);
        } else if (name == "--ubatch") {
            options.room.ubatch = in.number(1);
        } else if (name == "--warmup") {
            options.warmup = in.number(1);
        } else if (name == "--gpu-layers") {
            options.gpu_layers = in.number(-1);
        } else if (name == "--table") {
            options.table = in.one_of({ "all", "best" }) == "all";
        } else if (name == "--json") {
            options.json_file = in.value();
        } else if (name == "--libs") {
            options.libs = in.value();
        } else if (name == "-h" || name == "--help") {
            std::fputs(usage, stdout);
            std::exit(0);
        } else {
            fail("unknown option " + name + "; see --help");
        }
    }
    if (options.model.empty() || options.text_file.empty()) {
        fail("a model and a file of prompts are needed; see --help");
    }
    if (options.threads.empty()) {
        for (int n = 1; n < cores(); n *= 2) {
            options.threads.push_back(n);
        }
        options.threads.push_back(cores());
    }
    return options;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/** One combination and how fast it was, in tokens per second, run by run. */
struct Entry {
    Tuning              tuning;
    std::vector<double> scouts;
    std::vector<double> decode;
    std::vector<double> prefill;
    bool                dropped = false;

    /** Whole runs, or the scouts of a combination that has none. */
    const std::vector<double> & told() const { return decode.empty() ? scouts : decode; }
};

/** The combinations that differ at a number of sequences: one sequence has one KV layout, and one thread waits for no other. */
std::vector<Entry> combinations(const Options & options, int slots) {
    std::vector<Entry> entries;
    for (const int threads : options.threads) {
        for (const int poll : { -1, 0, 50 }) {
            if (threads == 1 && poll >= 0) {
                continue;
            }
            for (const char * flash : { "off", "on" }) {
                for (const bool unified : { false, true }) {
                    if (slots > 1 || !unified) {
                        Entry entry;
                        entry.tuning = { threads, poll >= 0, std::max(0, poll), flash, unified };
                        entries.push_back(entry);
                    }
                }
            }
        }
    }
    return entries;
}

/** Runs one combination, to the end or as a scout. */
void measure(Entry & entry, bool scout, const Options & options, const Room & room, int streams, llama_model * model, const std::vector<Prompt> & prompts) {
    Task task;
    task.parallel   = streams;
    task.predict    = options.predict;
    task.ignore_eos = true;
    const Context ctx(model, room, entry.tuning);
    if (entry.tuning.threadpool && !ctx.has_pool()) {
        fail("this machine's backend makes no thread pools");
    }
    Loop loop(task, room, model, ctx.get());
    loop.warm_up(prompts, options.warmup);
    if (scout) {
        loop.round(prompts, 0, options.scout_ms / 1000.0);
        entry.scouts.push_back(loop.totals.decode_rate());
    } else {
        do {
            loop.round(prompts, 0);
        } while (loop.totals.decode_seconds * 1000 < options.least_ms);
        entry.decode.push_back(loop.totals.decode_rate());
    }
    entry.prefill.push_back(loop.totals.prefill_rate());
}

/** Marks the combinations whose better scout is too far behind; a scout may have met a busy machine, two seldom do. */
void drop(std::vector<Entry> & all, int keep_within) {
    double top = 0;
    for (const Entry & entry : all) {
        top = std::max(top, median(entry.scouts));
    }
    for (Entry & entry : all) {
        entry.dropped = *std::max_element(entry.scouts.begin(), entry.scouts.end()) < top * (1 - keep_within / 100.0);
    }
}

/** Runs all combinations at a number of streams; returns them with the fastest first. */
std::vector<Entry> sweep(const Options & options, int streams, llama_model * model, const std::vector<Prompt> & file) {
    constexpr int scouting_passes = 2;

    Room room              = options.room;
    room.slots             = std::max(options.slots, streams);
    std::vector<Entry> all = combinations(options, room.slots);
    const auto         ask = repeated(file, static_cast<size_t>(streams));
    for (int pass = 0; pass < scouting_passes + options.repetitions; pass++) {
        const bool scout = pass < scouting_passes;
        std::rotate(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(all.size() / 3), all.end());
        for (Entry & entry : all) {
            if (!entry.dropped) {
                measure(entry, scout, options, room, streams, model, ask);
            }
        }
        std::fprintf(stderr, "%s: %d streams, pass %d of %d\n", BENCH_PROGRAM, streams, pass + 1, scouting_passes + options.repetitions);
        if (pass + 1 == scouting_passes) {
            drop(all, options.keep_within);
        }
    }
    std::stable_sort(all.begin(), all.end(), [](const Entry & a, const Entry & b) {
        return a.dropped != b.dropped ? b.dropped : median(a.told()) > median(b.told());
    });
    return all;
}

std::string settings(const Tuning & t) {
    const std::string pool = t.threads == 1 ? "–" : t.threadpool ? "on, poll " + std::to_string(t.poll) : "off";
    return std::to_string(t.threads) + " | " + pool + " | " + t.flash + " | " + (t.unified ? "unified" : "streams");
}

void print_row(int streams, const Entry & entry) {
    const auto [least, most] = std::minmax_element(entry.told().begin(), entry.told().end());
    std::printf("| %d | %.1f (%.1f–%.1f) | %s | %zu%s | %.0f |\n", streams, median(entry.told()), *least, *most, settings(entry.tuning).c_str(), entry.told().size(),
                entry.decode.empty() ? " short" : "", median(entry.prefill));
}

void print_header(const char * title) {
    std::printf("\n%s\n\n| streams | decode tok/s | threads | pool | flash attention | KV | runs | prefill tok/s |\n|---|---|---|---|---|---|---|---|\n", title);
}

void write_list(std::FILE * out, const char * name, const std::vector<double> & values) {
    std::fprintf(out, ", \"%s\": [", name);
    for (size_t i = 0; i < values.size(); i++) {
        std::fprintf(out, "%s%.2f", i > 0 ? ", " : "", values[i]);
    }
    std::fprintf(out, "]");
}

void write_json(const Options & options, const std::vector<std::vector<Entry>> & all) {
    std::FILE * out = std::fopen(options.json_file.c_str(), "w");
    if (out == nullptr) {
        fail("cannot write " + options.json_file);
    }
    std::fprintf(out, "[");
    const char * comma = "";
    for (size_t i = 0; i < all.size(); i++) {
        for (size_t rank = 0; rank < all[i].size(); rank++) {
            const Entry &  entry = all[i][rank];
            const Tuning & t     = entry.tuning;
            std::fprintf(out, "%s\n {\"streams\": %d, \"rank\": %zu, \"threads\": %d, \"threadpool\": %s, \"poll\": %d, \"flash_attn\": \"%s\", \"kv\": \"%s\", \"dropped\": %s", comma,
                         options.streams[i], rank, t.threads, t.threadpool ? "true" : "false", t.poll, t.flash.c_str(), t.unified ? "unified" : "streams",
                         entry.dropped ? "true" : "false");
            write_list(out, "scout_tokens_per_second", entry.scouts);
            write_list(out, "decode_tokens_per_second", entry.decode);
            write_list(out, "prefill_tokens_per_second", entry.prefill);
            std::fprintf(out, "}");
            comma = ",";
        }
    }
    std::fprintf(out, "\n]\n");
    if (std::fclose(out) != 0) {
        fail("cannot write " + options.json_file);
    }
}

} // namespace

int main(int argc, char ** argv) {
    const Options options = read_options(argc, argv);
    open_backend(options.libs);
    llama_model *                   model = open_model(options.model, options.gpu_layers);
    const auto                      file  = read_prompts(options.text_file, true, llama_model_get_vocab(model), options.predict, options.room.ctx);
    std::vector<std::vector<Entry>> all;
    for (const int streams : options.streams) {
        all.push_back(sweep(options, streams, model, file));
    }
    if (options.table) {
        print_header("All combinations");
        for (size_t i = 0; i < all.size(); i++) {
            for (const Entry & entry : all[i]) {
                print_row(options.streams[i], entry);
            }
        }
    }
    print_header("The ceiling");
    for (size_t i = 0; i < all.size(); i++) {
        print_row(options.streams[i], all[i].front());
    }
    if (!options.json_file.empty()) {
        write_json(options, all);
    }
    llama_model_free(model);
    llama_backend_free();
    return 0;
}
