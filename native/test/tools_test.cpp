// Tools on every template of the source tree: shown in the prompt, and a required call enforced.

#include <filesystem>
#include <fstream>
#include <sstream>

#include "chat.h"

namespace {

bool shows(const dbs_chat * chat, const std::string & text) {
    return prompt_of(chat).find(text) != std::string::npos;
}

/** Every model calls where it must, whatever else the request asks for; a schema for content has nothing to say then. */
void a_required_call_is_enforced(const Demo & demo, dbs_templates * templates) {
    for (const int32_t thinking : { 0, 1 }) {
        Request request("What is the weather in Paris?");
        request.tools                  = weather_tools;
        request.inputs.tool_choice     = DBS_TOOL_REQUIRED;
        request.inputs.enable_thinking = thinking;
        for (const char * schema : { "", R"({"type":"object"})" }) {
            request.schema     = schema;
            dbs_chat *    chat = request.applied(templates);
            dbs_chat_info info = {};
            dbs_chat_get_info(chat, &info);
            CHECK(info.has_grammar == 1 && info.grammar_lazy == 0 && shows(chat, "get_weather"));
            CHECK(!may_only_say(demo, chat, "It is sunny.") && !may_only_say(demo, chat, "{}"));
            dbs_chat_free(chat);
        }
    }
}

void a_voluntary_call_leaves_text_free(const Demo & demo, dbs_templates * templates) {
    Request request("What is the weather in Paris?");
    request.tools   = weather_tools;
    dbs_chat * chat = request.applied(templates);
    CHECK(shows(chat, "get_weather"));
    CHECK(may_only_say(demo, chat, "It is sunny."));
    dbs_chat_free(chat);
}

constexpr const char * plain_template =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

constexpr const char * two_tools = R"([{"type":"function","function":{"name":"get_weather","description":"Current weather",
    "parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}}},
    {"type":"function","function":{"name":"get_time"}}])";

constexpr const char * weather_call = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";

void tools_are_described_where_the_template_cannot(const Demo & demo) {
    dbs_templates * templates = templates_of(demo, plain_template);
    Request         request("");
    request.tools    = two_tools;
    request.messages = R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Weather?"},
        {"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"get_weather","arguments":"{\"city\": \"Rome\"}"}},
            {"id":"b","type":"function","function":{"name":"get_time","arguments":"no JSON"}}]},
        {"role":"tool","tool_call_id":"a","content":"hot"},{"role":"tool","tool_call_id":"b","content":"noon"},{"role":"user","content":"And now?"}])";
    dbs_chat *        chat   = request.applied(templates);
    const std::string prompt = prompt_of(chat);
    CHECK(prompt.find("<|im_start|>system\nBe brief.\n\nYou can call functions.") == 0);
    CHECK(shows(chat, R"({"name":"get_time","description":"","parameters":{)") && shows(chat, R"("description":"Current weather")"));
    CHECK(shows(chat, "<|im_start|>assistant\n<tool_call>\n{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Rome\"}}\n</tool_call>\n<tool_call>\n"
                      "{\"name\":\"get_time\",\"arguments\":\"no JSON\"}\n</tool_call><|im_end|>\n"));
    CHECK(shows(chat, "<|im_start|>user\n<tool_response>\nhot\n</tool_response>\n<tool_response>\nnoon\n</tool_response>\nAnd now?<|im_end|>\n"));
    dbs_chat_free(chat);

    // Calls among the messages are rendered where no tool may be called any more, too; then no tool is described.
    request.inputs.tool_choice = DBS_TOOL_NONE;
    chat                       = request.applied(templates);
    CHECK(shows(chat, "{\"city\":\"Rome\"}") && !shows(chat, "You can call functions"));
    CHECK(may_only_say(demo, chat, "It is sunny."));
    dbs_chat_free(chat);
    dbs_templates_free(templates);
}

void the_form_of_our_own_holds(const Demo & demo) {
    dbs_templates * templates = templates_of(demo, plain_template);
    Request         request("Weather?");
    request.tools                      = two_tools;
    request.inputs.parallel_tool_calls = 1;
    const std::string two              = std::string(weather_call) + "\n<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>";
    for (const int32_t choice : { DBS_TOOL_AUTO, DBS_TOOL_REQUIRED }) {
        request.inputs.tool_choice = choice;
        dbs_chat * chat            = request.applied(templates);
        CHECK(may_only_say(demo, chat, weather_call) && may_only_say(demo, chat, two));
        CHECK(may_only_say(demo, chat, "Sunny.") == (choice == DBS_TOOL_AUTO));
        CHECK(may_only_say(demo, chat, std::string("Let me look. ") + weather_call) == (choice == DBS_TOOL_AUTO));
        CHECK(!may_only_say(demo, chat, "<tool_call>\n{\"name\": \"get_rain\", \"arguments\": {}}\n</tool_call>"));
        CHECK(!may_only_say(demo, chat, "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {}}\n</tool_call>"));
        dbs_chat_free(chat);
    }
    request.inputs.parallel_tool_calls = 0;
    dbs_chat * chat                    = request.applied(templates);
    CHECK(may_only_say(demo, chat, weather_call) && !may_only_say(demo, chat, two));
    dbs_chat_free(chat);

    // A call, or content that follows the schema.
    request.inputs.tool_choice = DBS_TOOL_AUTO;
    request.schema             = R"({"type":"object","properties":{"sky":{"type":"string"}},"required":["sky"],"additionalProperties":false})";
    chat                       = request.applied(templates);
    CHECK(may_only_say(demo, chat, "{\"sky\": \"blue\"}") && may_only_say(demo, chat, weather_call) && !may_only_say(demo, chat, "Sunny."));
    dbs_chat_free(chat);
    dbs_templates_free(templates);
}

} // namespace

void test_tools(const Demo & demo, const std::string & directory) {
    int n = 0;
    for (const auto & entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream     file(entry.path());
        std::stringstream source;
        source << file.rdbuf();
        dbs_templates * templates = templates_of(demo, source.str());
        a_required_call_is_enforced(demo, templates);
        a_voluntary_call_leaves_text_free(demo, templates);
        dbs_templates_free(templates);
        n++;
    }
    CHECK(n > 60);
    tools_are_described_where_the_template_cannot(demo);
    the_form_of_our_own_holds(demo);
}
