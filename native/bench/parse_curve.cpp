// What a token costs in the parser of an answer and in the watch for a lazy grammar's triggers, over the length of the answer.
//
// Usage: parse-curve LIBRARY-DIR MODEL [TEMPLATE-FILE]
//
// Feeds answers of 4,000 tokens of four bytes and prints microseconds a token, the mean of each tenth of the answer, and the longest time that text
// was held back, in tokens.

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "ggml-backend.h"

#include "darkbloom_shim.h"
#include "trigger_watch.h"

namespace {

constexpr int n_tokens = 4000;
constexpr int n_parts  = 10;

constexpr const char * tools = R"([{"type":"function","function":{"name":"write_file","description":"Writes a file",
    "parameters":{"type":"object","properties":{"path":{"type":"string"},"text":{"type":"string"}},"required":["path","text"]}}}])";

dbs_slice slice(const std::string & text) {
    return { text.data(), text.size() };
}

struct Case {
    const char * name;
    bool         has_tools;
    int32_t      thinking;
    std::string  begin; // of the answer
    std::string  token; // repeated
};

int run(dbs_templates * templates, const Case & one) {
    const std::string messages = R"([{"role":"user","content":"Hello"}])";
    dbs_chat_inputs   in       = {};
    dbs_chat *        chat     = nullptr;
    dbs_parser *      parser   = nullptr;
    const std::string declared = one.has_tools ? tools : "";
    in.messages                = slice(messages);
    in.tools                   = slice(declared);
    in.enable_thinking         = one.thinking;
    in.add_generation_prompt   = 1;
    in.parse_reasoning         = 1;
    if (dbs_chat_apply(templates, &in, &chat) != DBS_OK || dbs_parser_new(chat, one.has_tools ? 1 : 0, &parser) != DBS_OK) {
        return 1;
    }
    const dbs_delta * deltas   = nullptr;
    size_t            n_deltas = 0;
    dbs_parser_feed(parser, one.begin.data(), one.begin.size(), 0, &deltas, &n_deltas);
    std::printf("%-22s", one.name);
    int    held    = 0;
    int    longest = 0;
    size_t bytes   = 0;
    for (int part = 0; part < n_parts; part++) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < n_tokens / n_parts; i++) {
            // As the caller does: a parser that has nothing to find any more is not asked.
            if (dbs_parser_is_plain(parser) == 1) {
                bytes += one.token.size();
                continue;
            }
            dbs_parser_feed(parser, one.token.data(), one.token.size(), 0, &deltas, &n_deltas);
            held    = n_deltas > 0 ? 0 : held + 1;
            longest = held > longest ? held : longest;
            for (size_t k = 0; k < n_deltas; k++) {
                bytes += deltas[k].text.size;
            }
        }
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
        std::printf(" %8.2f", took.count() / (n_tokens / n_parts));
    }
    std::printf("   held %d, %zu bytes\n", longest, bytes);
    dbs_parser_free(parser);
    dbs_chat_free(chat);
    return 0;
}

/** The watch over text that triggers nothing: with the word that most formats have, and with expressions as gpt-oss has them. */
void watch(const char * name, const std::vector<dbs::Trigger> & triggers) {
    dbs::TriggerWatch watch(triggers);
    std::printf("%-22s", name);
    for (int part = 0; part < n_parts; part++) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < n_tokens / n_parts; i++) {
            if (!watch.add(1, " wor").empty()) {
                std::printf(" woke");
            }
        }
        const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - begin;
        std::printf(" %8.2f", took.count() / (n_tokens / n_parts));
    }
    std::printf("\n");
}

} // namespace

int main(int argc, char ** argv) {
    if (argc != 3 && argc != 4) {
        std::fprintf(stderr, "usage: %s LIBRARY-DIR MODEL [TEMPLATE-FILE]\n", argv[0]);
        return 2;
    }
    dbs_log_set(dbs_log_discard, nullptr);
    ggml_backend_load_all_from_path(argv[1]);
    llama_backend_init();
    const char *       paths[] = { argv[2] };
    llama_model_params params  = llama_model_default_params();
    llama_model *      model   = nullptr;
    if (dbs_model_load(paths, 1, &params, &model) != DBS_OK) {
        std::fprintf(stderr, "%s: cannot load %s\n", argv[0], argv[2]);
        return 1;
    }
    std::string source;
    if (argc == 4) {
        std::ifstream     file(argv[3]);
        std::stringstream text;
        text << file.rdbuf();
        source = text.str();
    }
    dbs_templates * templates = nullptr;
    if (dbs_templates_new(model, source.data(), source.size(), &templates) != DBS_OK) {
        std::fprintf(stderr, "%s: cannot read the template\n", argv[0]);
        return 1;
    }
    const std::string call = source.find("<parameter=") != std::string::npos
                                 ? "<tool_call>\n<function=write_file>\n<parameter=path>\na.txt\n</parameter>\n<parameter=text>\n"
                                 : "<tool_call>\n{\"name\": \"write_file\", \"arguments\": {\"path\": \"a.txt\", \"text\": \"";
    int status = 0;
    for (const Case & one : {
             Case{ "plain", false, 0, "", " wor" },
             Case{ "reasoning", false, 1, "", " wor" },
             Case{ "after reasoning", false, 1, "Hm.\n</think>\n\n", " wor" },
             Case{ "tools, not used", true, 0, "", " wor" },
             Case{ "tools, reasoning", true, 1, "", " wor" },
             Case{ "tools, marks in text", true, 0, "", "<b>{" },
             Case{ "one long call", true, 0, call, " wor" },
             Case{ "call with structure", true, 0, call, "\\n a" },
         }) {
        status |= run(templates, one);
    }
    watch("watch, a word", { { true, "<tool_call>" } });
    watch("watch, expressions", { { false, "^\\s+to$" }, { false, "^<\\|channel\\|>(?:commentary|analysis)\\s+to=functions$" },
                                  { false, "<\\|start\\|>assistant(\\s+to)" } });
    dbs_templates_free(templates);
    llama_model_free(model);
    llama_backend_free();
    return status;
}
