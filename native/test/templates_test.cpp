// Every chat template of the source tree is read, rendered with a tool and followed by a parser; none may throw, print or crash.

#include <filesystem>
#include <fstream>
#include <sstream>

#include "chat.h"

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
        dbs_templates_free(templates);
        n++;
    }
    CHECK(n > 60);
}
