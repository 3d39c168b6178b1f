// Response formats on every template of the source tree: JSON under the schema, or a call where there are tools, and nothing else.

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "chat.h"
#include "request.h"

namespace {

constexpr const char * sky_schema = R"({"type":"object","properties":{"sky":{"type":"string"}},"required":["sky"],"additionalProperties":false})";
constexpr const char * any_object = R"({"type":"object"})";
constexpr const char * sky        = R"({"sky": "blue"})";
constexpr const char * question   = R"({"role":"user","content":"How is the sky in Paris?"})";

struct Reading {
    int32_t     status = DBS_OK;
    std::string reasoning;
    std::string content;
    std::string calls;
};

std::string words_of(const Reading & read) {
    return "status " + std::to_string(read.status) + ", reasoning [" + read.reasoning + "], content [" + read.content + "], calls " + read.calls;
}

Reading reading_of(const dbs_chat * chat, const std::string & raw) {
    dbs_parser *      parser = nullptr;
    const dbs_delta * deltas = nullptr;
    size_t            n      = 0;
    Reading           out;
    CHECK_STATUS(DBS_OK, dbs_parser_new(chat, 1, &parser));
    out.status = dbs_parser_is_plain(parser) == 1 ? DBS_OK : dbs_parser_feed(parser, raw.data(), raw.size(), 1, &deltas, &n);
    out.content = dbs_parser_is_plain(parser) == 1 && n == 0 ? raw : "";
    for (size_t i = 0; i < n; i++) {
        switch (deltas[i].kind) {
            case DBS_DELTA_REASONING: out.reasoning += text(deltas[i].text); break;
            case DBS_DELTA_CONTENT: out.content += text(deltas[i].text); break;
            default: out.calls += text(deltas[i].text) + "|";
        }
    }
    dbs_parser_free(parser);
    return out;
}

std::string rendered(dbs_templates * templates, Request request, const std::string & messages, int32_t asks) {
    dbs_chat * chat                      = nullptr;
    request.messages                     = "[" + messages + "]";
    request.schema                       = "";
    request.inputs.tool_choice           = DBS_TOOL_AUTO;
    request.inputs.add_generation_prompt = asks;
    const std::string prompt             = request.apply(templates, &chat) == DBS_OK ? prompt_of(chat) : std::string();
    dbs_chat_free(chat);
    return prompt;
}

/** The text of an answer as the template writes it behind a prompt; empty where that cannot be told. */
std::string sample_of(dbs_templates * templates, const Request & request, const std::string & answer) {
    const std::string thanks = R"(,{"role":"user","content":"Thanks"})";
    const std::string before = rendered(templates, request, question, 1);
    const std::string all    = rendered(templates, request, std::string(question) + "," + answer + thanks, 0);
    const std::string plain  = rendered(templates, request, std::string(question) + R"(,{"role":"assistant","content":"Sunny."})" + thanks, 0);
    const size_t      end    = all.rfind("Thanks");
    const size_t      said   = plain.rfind("Sunny.");
    if (before.empty() || all.compare(0, before.size(), before) != 0 || end == std::string::npos || said == std::string::npos) {
        return "";
    }
    const std::string turn   = plain.substr(said + 6, plain.rfind("Thanks") - said - 6);
    const std::string sample = all.substr(before.size(), end - before.size());
    return ends_with(sample, turn) ? sample.substr(0, sample.size() - turn.size()) : "";
}

std::string call_with(const std::string & id) {
    return R"({"role":"assistant","content":"","tool_calls":[{"id":")" + id +
           R"(","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Paris\"}"}}]})";
}

/** How the content of a format that marks it begins and ends. */
const std::map<std::string, std::pair<std::string, std::string>> marks = {
    { "Cohere2MoE.jinja", { "<|START_TEXT|>", "<|END_TEXT|>" } },
    { "CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja", { "<|START_RESPONSE|>", "<|END_RESPONSE|>" } },
    { "Kimi-K3.jinja", { "<|open|>response<|sep|>", "<|close|>response<|sep|><|close|>message<|sep|>" } },
    { "meetkai-functionary-medium-v3.2.jinja", { "all\n", "" } },
    { "muse-glimmer.jinja", { " to=user<|message|>", "" } },
    { "openai-gpt-oss-120b.jinja", { "<|channel|>final<|message|>", "" } },
    { "upstage-Solar-Open-100B.jinja", { "<|content|>", "" } },
};

/** Formats that do not read plain text beside tools, or behind a beginning: it is content all the same, with a warning. */
const std::set<std::string> unread = {
    "CohereForAI-c4ai-command-r-plus-tool_use.jinja", "CohereForAI-c4ai-command-r7b-12-2024-tool_use.jinja", "meta-llama-Llama-3.1-8B-Instruct.jinja",
    "meta-llama-Llama-3.2-3B-Instruct.jinja", "meta-llama-Llama-3.3-70B-Instruct.jinja",
};

struct Template {
    std::string     name;
    dbs_templates * templates;
    int             n_calls = 0; // calls of its own that were tried
    int             n_begun = 0; // and behind a beginning
};

/** The thought that has to end first, where the prompt opens one. */
std::string thought_in(const dbs_chat * chat) {
    const std::string & start = chat->params.thinking_start_tag;
    const size_t        open  = start.empty() ? std::string::npos : chat->params.generation_prompt.rfind(start);
    if (open == std::string::npos || chat->params.generation_prompt.find(chat->params.thinking_end_tags.front(), open) != std::string::npos) {
        return "";
    }
    return "Hm." + chat->params.thinking_end_tags.front();
}

void expect(bool is_so, const Template & one, const std::string & what) {
    CHECK(is_so);
    if (!is_so) {
        std::fprintf(stdout, "  %s: %s\n", one.name.c_str(), what.c_str());
    }
}

void an_answer_is_json_or_a_call(const Demo & demo, Template & one, const char * schema, bool has_tools, int32_t thinking) {
    Request request("How is the sky in Paris?");
    request.messages               = std::string("[") + question + "]";
    request.schema                 = schema;
    request.tools                  = has_tools ? weather_tools : "";
    request.inputs.enable_thinking = thinking;
    dbs_chat *        chat         = request.applied(one.templates);
    if (chat == nullptr) {
        return;
    }
    const auto        known        = marks.find(one.name);
    const std::string open         = known == marks.end() ? "" : known->second.first;
    const std::string close        = known == marks.end() ? "" : known->second.second;
    const std::string thought      = thought_in(chat);
    const std::string answer       = thought + open + sky + close;
    // A mark that is a control token of the model has no text when it is read; here it has.
    const std::string content      = open == "<|content|>" && has_tools ? open + sky : sky;
    expect(may_only_say(demo, chat, answer), one, "JSON is refused");
    const Reading read = reading_of(chat, answer);
    const bool    is_read = read.content == content && read.calls.empty() && ends_with(read.reasoning, thought.empty() ? "" : "Hm.");
    expect(is_read && (read.status == DBS_OK || unread.count(one.name) > 0), one, "JSON is not read, but " + words_of(read));
    const std::string twice  = std::string(sky) + sky;
    const std::string fenced = std::string("```json\n") + sky + "\n```";
    for (const std::string & other : { std::string(), std::string("It is blue."), std::string("{\"sky\": }"), std::string("[1]"), twice, fenced }) {
        expect(!may_only_say(demo, chat, thought + open + other + close), one, other);
        if (answer != sky) {
            expect(!may_only_say(demo, chat, other), one, other);
        }
    }
    expect(may_only_say(demo, chat, thought + open + "{\"sea\": 1}" + close) == (schema == any_object), one, "another object");
    for (const std::string & id : { std::string("abc123456"), std::string("functions.get_weather:0") }) {
        request.tools          = weather_tools;
        std::string call = sample_of(one.templates, request, call_with(id));
        if (!thought.empty() && call.find(chat->params.thinking_end_tags.front()) == std::string::npos) {
            call = thought + call;
        }
        if (!has_tools) {
            expect(call.empty() || call.front() == '{' || !may_only_say(demo, chat, call), one, "a call without tools");
        } else if (!call.empty() && reading_of(chat, call).calls.find("get_weather|") == 0) {
            expect(may_only_say(demo, chat, call), one, call);
            one.n_calls++;
        }
    }
    dbs_chat_free(chat);
}

void what_was_begun_goes_on(const Demo & demo, Template & one, bool has_tools) {
    Request request("How is the sky in Paris?");
    request.messages = std::string("[") + question + R"(,{"role":"assistant","content":"{\"sky\": \"bl"}])";
    request.schema   = sky_schema;
    request.tools    = has_tools ? weather_tools : "";
    request.inputs.continue_final_message = 1;
    dbs_chat * chat                       = request.applied(one.templates);
    if (chat == nullptr) {
        return;
    }
    expect(may_only_say(demo, chat, "ue\"}"), one, "what was begun is not ended");
    const Reading read = reading_of(chat, "ue\"}");
    const bool    is_read = read.content == "ue\"}" && read.calls.empty();
    expect(is_read && (read.status == DBS_OK || unread.count(one.name) > 0), one, "what was begun is not read, but " + words_of(read));
    for (const char * other : { "", "ue", "ue\"} It is.", "{\"sky\": \"blue\"}" }) {
        expect(!may_only_say(demo, chat, other), one, other);
    }
    dbs_chat_free(chat);
}

/** A message that was begun goes on with the call that is required, but for formats in which a call is another message. */
void a_call_follows_what_was_begun(const Demo & demo, Template & one) {
    Request request("How is the sky in Paris?");
    request.messages                      = std::string("[") + question + R"(,{"role":"assistant","content":"Let me look."}])";
    request.tools                         = weather_tools;
    request.inputs.tool_choice            = DBS_TOOL_REQUIRED;
    request.inputs.continue_final_message = 1;
    dbs_chat *    chat                    = nullptr;
    const int32_t status                  = request.apply(one.templates, &chat);
    CHECK(status == (marks.count(one.name) > 0 ? DBS_BAD_TEMPLATE : DBS_OK));
    if (chat == nullptr) {
        return;
    }
    for (const char * other : { "", " It is blue.", "{}" }) {
        expect(!may_only_say(demo, chat, other), one, other);
    }
    Request answered("How is the sky in Paris?");
    answered.tools         = weather_tools;
    const std::string call = sample_of(one.templates, answered, call_with("functions.get_weather:0"));
    const bool is_alone    = chat->params.thinking_end_tags.empty() || call.find(chat->params.thinking_end_tags.front()) == std::string::npos;
    if (is_alone && reading_of(chat, call).calls.find("get_weather|") == 0) {
        expect(may_only_say(demo, chat, call), one, "a call behind a beginning");
        one.n_begun++;
    }
    dbs_chat_free(chat);
}

/** Both calls of a message and both answers are in the prompt, whether more calls may come or not. No tool is shown that may not be called. */
void calls_are_shown(Template & one) {
    Request request("");
    request.messages = std::string("[") + question + R"(,{"role":"assistant","content":"","tool_calls":[
        {"id":"abc123456","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Lyon\"}"}},
        {"id":"def123456","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Oslo\"}"}}]},
        {"role":"tool","tool_call_id":"abc123456","name":"get_weather","content":"hot"},
        {"role":"tool","tool_call_id":"def123456","name":"get_weather","content":"cold"}])";
    request.tools = weather_tools;
    for (const int32_t choice : { DBS_TOOL_AUTO, DBS_TOOL_NONE }) {
        request.inputs.tool_choice = choice;
        dbs_chat *        chat     = nullptr;
        const int32_t     status   = request.apply(one.templates, &chat);
        const std::string prompt   = chat != nullptr ? prompt_of(chat) : "";
        for (const char * word : { "Lyon", "Oslo", "hot", "cold" }) {
            CHECK(prompt.find(word) != std::string::npos);
            if (prompt.find(word) == std::string::npos) {
                std::fprintf(stdout, "  %s: no %s, status %d\n", one.name.c_str(), word, status);
            }
        }
        CHECK((prompt.find("Current weather of a city") != std::string::npos) == (choice == DBS_TOOL_AUTO));
        dbs_chat_free(chat);
    }
}

} // namespace

void test_response_formats(const Demo & demo, const std::string & directory) {
    int n       = 0;
    int n_calls = 0;
    int n_begun = 0;
    for (const auto & entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream     file(entry.path());
        std::stringstream source;
        source << file.rdbuf();
        Template one = { entry.path().filename().string(), templates_of(demo, source.str()) };
        for (const char * schema : { sky_schema, any_object }) {
            for (const bool has_tools : { false, true }) {
                for (const int32_t thinking : { 0, 1 }) {
                    if (schema == any_object && thinking == 1) {
                        continue;
                    }
                    an_answer_is_json_or_a_call(demo, one, schema, has_tools, thinking);
                }
            }
        }
        what_was_begun_goes_on(demo, one, false);
        what_was_begun_goes_on(demo, one, true);
        a_call_follows_what_was_begun(demo, one);
        calls_are_shown(one);
        dbs_templates_free(one.templates);
        n++;
        n_begun += one.n_begun;
        n_calls += one.n_calls > 0 ? 1 : 0;
    }
    CHECK(n > 60);
    CHECK(n_calls > 40 && n_begun > 30);
}
