// Arguments of calls are held to the schema of their tool, on every template of the source tree whose calls can be held to one.

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "chat.h"
#include "request.h"

namespace {

constexpr const char * tools = R"([{"type":"function","function":{"name":"set_level","description":"Sets a level","parameters":{"type":"object",
    "properties":{"level":{"type":"integer","minimum":10,"maximum":30,"multipleOf":7}},"required":["level"],"additionalProperties":false}}},
    {"type":"function","function":{"name":"set_speed","description":"Sets a speed","parameters":{"type":"object",
    "properties":{"speed":{"type":"array","items":{"type":"boolean"},"minItems":2,"maxItems":2}},"required":["speed"],
    "additionalProperties":false}}},
    {"type":"function","function":{"name":"set_mode","description":"Sets a mode","parameters":{"type":"object",
    "properties":{"mode":{"type":"string","enum":["slow","fast"]}},"required":["mode"],"additionalProperties":false}}}])";

std::string rendered(dbs_templates * templates, Request request, const std::string & messages, int32_t asks) {
    dbs_chat * chat                      = nullptr;
    request.messages                     = "[" + messages + "]";
    request.inputs.add_generation_prompt = asks;
    request.inputs.tool_choice           = DBS_TOOL_NONE; // shown all the same
    const std::string prompt             = request.apply(templates, &chat) == DBS_OK ? prompt_of(chat) : std::string();
    dbs_chat_free(chat);
    return prompt;
}

/** The text of one call as the template writes it; empty where that cannot be told. */
std::string call_of(dbs_templates * templates, const Request & request, const std::string & id, const std::string & name, const std::string & arguments) {
    const std::string question = R"({"role":"user","content":"Set it."})";
    const std::string thanks   = R"(,{"role":"user","content":"Thanks"})";
    const std::string call     = R"(,{"role":"assistant","content":"","tool_calls":[{"id":")" + id + R"(","type":"function","function":{"name":")" + name +
                             R"(","arguments":")" + arguments + R"("}}]})";
    const std::string before   = rendered(templates, request, question, 1);
    const std::string all      = rendered(templates, request, question + call + thanks, 0);
    const std::string plain    = rendered(templates, request, question + R"(,{"role":"assistant","content":"Done."})" + thanks, 0);
    const size_t      end      = all.rfind("Thanks");
    const size_t      said     = plain.rfind("Done.");
    if (before.empty() || all.compare(0, before.size(), before) != 0 || end == std::string::npos || said == std::string::npos) {
        return "";
    }
    const std::string turn   = plain.substr(said + 5, plain.rfind("Thanks") - said - 5);
    const std::string sample = all.substr(before.size(), end - before.size());
    return ends_with(sample, turn) ? sample.substr(0, sample.size() - turn.size()) : "";
}

/** How a template's calls are held to a schema: as one JSON object, each parameter that is no text by itself, or not at all. */
std::string hold_of(const dbs_chat * chat) {
    const bool is_ours  = chat->grammar.find("dbs-tool-") != std::string::npos;
    const bool is_whole = chat->grammar.find(R"(\"level\":)") != std::string::npos;
    return is_whole ? "whole" : is_ours ? "apart" : "none";
}

struct Tries {
    std::string              name;
    std::string              good;
    std::vector<std::string> bad;
};

const Tries tries[] = {
    { "set_level", R"({\"level\": 14})", { R"({\"level\": 13})", R"({\"level\": 35})", R"({\"level\": \"high\"})", R"({})" } },
    { "set_speed", R"({\"speed\": [true, false]})", { R"({\"speed\": 14})", R"({\"speed\": [true]})" } },
    { "set_mode", R"({\"mode\": \"fast\"})", { R"({\"mode\": \"faster\"})" } },
};

/** Which bad arguments the grammar lets through, as digits; "?" where the template's own call is not one that its format reads. */
std::string leaks_of(const Demo & demo, dbs_templates * templates, Request request) {
    for (const int32_t choice : { DBS_TOOL_REQUIRED, DBS_TOOL_AUTO }) {
        for (const int32_t thinking : { 0, 1 }) {
            request.inputs.tool_choice     = choice;
            request.inputs.enable_thinking = thinking;
            dbs_chat *  chat               = request.applied(templates);
            std::string leaks;
            int         number  = 0;
            bool        is_read = true;
            for (const Tries & tool : tries) {
                bool is_call = false;
                for (const std::string & id : { std::string("abc123456"), "functions." + tool.name + ":0" }) {
                    const std::string good = call_of(templates, request, id, tool.name, tool.good);
                    is_call                = !good.empty() && may_only_say(demo, chat, good);
                    if (!is_call) {
                        continue;
                    }
                    for (const std::string & arguments : tool.bad) {
                        leaks += may_only_say(demo, chat, call_of(templates, request, id, tool.name, arguments)) ? std::to_string(number) : "";
                        number++;
                    }
                    break;
                }
                is_read = is_read && is_call;
            }
            dbs_chat_free(chat);
            if (is_read) {
                return leaks;
            }
        }
    }
    return "?";
}

} // namespace

void test_arguments(const Demo & demo, const std::string & directory) {
    // What gets through: required parameters of one format, how many items an array has in another, arrays in a third, everything in the last.
    const std::map<std::string, std::string> leaky = { { "muse-glimmer.jinja", "3" }, { "MiniMax-M3.jinja", "5" },
                                                       { "google-gemma-4-31B-it-interleaved.jinja", "0123456" }, { "LFM2.5-8B-A1B.jinja", "45" },
                                                       { "LFM2.5-Instruct.jinja", "45" },                { "LFM2-8B-A1B.jinja", "45" } };
    std::map<std::string, int> holds;
    int                        n_read = 0;
    for (const auto & entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream     file(entry.path());
        std::stringstream source;
        source << file.rdbuf();
        dbs_templates * templates = templates_of(demo, source.str());
        Request           request("Set it.");
        request.tools              = tools;
        request.inputs.tool_choice = DBS_TOOL_REQUIRED;
        dbs_chat *        chat = nullptr;
        const std::string name = entry.path().filename().string();
        if (request.apply(templates, &chat) == DBS_OK) {
            const std::string leaks = leaks_of(demo, templates, request);
            const auto        known = leaky.find(name);
            const bool        is_so = leaks == "?" || leaks == (known == leaky.end() ? "" : known->second);
            CHECK(is_so);
            if (!is_so) {
                std::fprintf(stdout, "%s lets through %s\n", name.c_str(), leaks.c_str());
            }
            n_read += leaks == "?" ? 0 : 1;
            holds[hold_of(chat)]++;
        } else {
            holds["this template renders no arrays"]++;
        }
        dbs_chat_free(chat);
        dbs_templates_free(templates);
    }
    CHECK(holds["whole"] == 43 && holds["apart"] == 22 && holds["none"] == 2 && holds.size() == 4);
    CHECK(n_read > 35);
}
