// Every chat template of the source tree is read, rendered with a tool and followed by a parser; none may throw, print or crash.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "chat.h"

namespace {

/** What an answer is read as when it comes in pieces of `step` bytes: its reasoning, a bar, its content. */
std::string reading_of(const dbs_chat * chat, const std::string & raw, size_t step) {
    dbs_parser *      parser    = nullptr;
    const dbs_delta * deltas    = nullptr;
    size_t            n_deltas  = 0;
    std::string       reasoning;
    std::string       content;
    CHECK_STATUS(DBS_OK, dbs_parser_new(chat, 0, &parser));
    for (size_t at = 0; at < raw.size(); at += step) {
        const size_t size = std::min(step, raw.size() - at);
        if (dbs_parser_is_plain(parser) == 1) {
            content.append(raw, at, size);
            continue;
        }
        dbs_parser_feed(parser, raw.data() + at, size, at + size == raw.size() ? 1 : 0, &deltas, &n_deltas);
        for (size_t i = 0; i < n_deltas; i++) {
            (deltas[i].kind == DBS_DELTA_REASONING ? reasoning : content) += text(deltas[i].text);
        }
    }
    dbs_parser_free(parser);
    return reasoning + "|" + content;
}

std::string all_of(const dbs_chat * chat) {
    dbs_chat_info info = {};
    dbs_chat_get_info(chat, &info);
    std::string out = prompt_of(chat) + "|" + std::to_string(info.format) + std::to_string(info.has_grammar) + std::to_string(info.supports_thinking);
    for (int32_t i = 0; i < info.n_stops; i++) {
        dbs_slice stop = {};
        CHECK_STATUS(DBS_OK, dbs_chat_stop(chat, i, &stop));
        out += "|" + text(stop);
    }
    return out + "|" + reading_of(chat, "Once upon a time, there was a cat. The cat sat [here] and {there}.\n\nThe end of <think>it</think>.", 1000);
}

/** A template's second request of a kind takes its format from the first; nothing may differ from what a fresh template answers. */
void later_requests_are_like_first_ones(const Demo & demo, const std::string & source) {
    dbs_templates * used = templates_of(demo, source);
    for (const int32_t thinking : { -1, 0, 1 }) {
        for (const char * words : { "What is the weather in Paris?", "Hello", "Tell me <think>a</think> story." }) {
            dbs_templates * fresh = templates_of(demo, source);
            Request         request(words);
            request.inputs.enable_thinking = thinking;
            dbs_chat * first               = request.applied(fresh);
            dbs_chat * later               = request.applied(used);
            CHECK(all_of(first) == all_of(later));
            dbs_chat_free(first);
            dbs_chat_free(later);
            dbs_templates_free(fresh);
        }
    }
    dbs_templates_free(used);
}

/** However an answer is cut into pieces, the same is found in it; and once content cannot end, that is no different. */
void pieces_do_not_change_what_is_read(dbs_templates * templates) {
    Request request("Hello");
    request.inputs.enable_thinking = 0;
    dbs_chat * chat                = request.applied(templates);
    for (const char * raw : { "Once upon a time, there was a cat.", "A cat <think>sat</think> on ```json\n{\"a\": [1]}\n``` a mat <tool_call>x</tool_call>.\n",
                              "One\n\ntwo\n" }) {
        const std::string whole = reading_of(chat, raw, 1000);
        for (const size_t step : { 1, 2, 3, 7 }) {
            CHECK(reading_of(chat, raw, step) == whole);
        }
    }
    dbs_chat_free(chat);
}

} // namespace

void test_templates(const Demo & demo, const std::string & directory) {
    int n = 0;
    for (const auto & entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream     file(entry.path());
        std::stringstream source;
        source << file.rdbuf();
        dbs_templates * templates = templates_of(demo, source.str());
        Request         request("What is the weather in Paris?");
        request.tools                  = weather_tools;
        request.inputs.enable_thinking = -1;
        dbs_chat * chat                = request.applied(templates);
        CHECK(prompt_of(chat).find("Paris") != std::string::npos);

        dbs_grammar * grammar = nullptr;
        CHECK_STATUS(DBS_OK, dbs_chat_grammar(chat, demo.vocab, &grammar));
        dbs_grammar_free(grammar);

        // Whatever the format wants, what is no answer of that format comes out as text.
        dbs_parser *      parser = nullptr;
        const dbs_delta * deltas = nullptr;
        size_t            n_deltas = 0;
        std::string       out;
        CHECK_STATUS(DBS_OK, dbs_parser_new(chat, 1, &parser));
        const std::string raw    = "It is [sunny] {today}.\n\nReally";
        int32_t           status = DBS_OK;
        for (size_t i = 0; i < raw.size(); i++) {
            status = dbs_parser_feed(parser, &raw[i], 1, i + 1 == raw.size() ? 1 : 0, &deltas, &n_deltas);
            for (size_t k = 0; k < n_deltas; k++) {
                out += text(deltas[k].text);
            }
        }
        CHECK(status == DBS_OK || status == DBS_NO_PARSE);
        CHECK(out.find("sunny") != std::string::npos && ends_with(out, "Really"));
        dbs_parser_free(parser);
        dbs_chat_free(chat);
        later_requests_are_like_first_ones(demo, source.str());
        pieces_do_not_change_what_is_read(templates);
        dbs_templates_free(templates);
        n++;
    }
    CHECK(n > 60);
}
