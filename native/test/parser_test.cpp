#include "chat.h"

namespace {

/** What a client has after it has put all deltas together. */
struct Answer {
    std::string              reasoning;
    std::string              content;
    std::vector<std::string> names;
    std::vector<std::string> ids;
    std::vector<std::string> arguments;
    int32_t                  status = DBS_OK;
    int                      first_content_feed = -1;

    bool operator==(const Answer & other) const {
        return reasoning == other.reasoning && content == other.content && names == other.names && arguments == other.arguments && status == other.status;
    }
};

Answer parsed(const dbs_chat * chat, const std::string & raw, size_t step, int32_t parse_tool_calls = 1) {
    Answer       answer;
    dbs_parser * parser = nullptr;
    CHECK_STATUS(DBS_OK, dbs_parser_new(chat, parse_tool_calls, &parser));
    int feed = 0;
    for (size_t at = 0; at == 0 || at < raw.size(); at += step, feed++) {
        const size_t      size     = std::min(step, raw.size() - at);
        const bool        is_final = at + step >= raw.size();
        const dbs_delta * deltas   = nullptr;
        size_t            n        = 0;
        answer.status              = dbs_parser_feed(parser, raw.data() + at, size, is_final ? 1 : 0, &deltas, &n);
        for (size_t i = 0; i < n; i++) {
            const dbs_delta & delta = deltas[i];
            const size_t      index = static_cast<size_t>(delta.tool_index);
            switch (delta.kind) {
                case DBS_DELTA_REASONING:
                    CHECK(answer.content.empty());
                    answer.reasoning += text(delta.text);
                    break;
                case DBS_DELTA_CONTENT:
                    answer.content += text(delta.text);
                    if (answer.first_content_feed < 0) {
                        answer.first_content_feed = feed;
                    }
                    break;
                case DBS_DELTA_TOOL_BEGIN:
                    CHECK(index == answer.names.size());
                    answer.names.push_back(text(delta.text));
                    answer.ids.push_back(text(delta.extra));
                    answer.arguments.emplace_back();
                    break;
                case DBS_DELTA_TOOL_ARGUMENTS:
                    CHECK(index < answer.arguments.size());
                    answer.arguments[index] += text(delta.text);
                    break;
                default:
                    CHECK(false);
            }
        }
    }
    const dbs_delta * deltas = nullptr;
    size_t            n      = 0;
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_parser_feed(parser, "x", 1, 0, &deltas, &n));
    dbs_parser_free(parser);
    return answer;
}

/** The same answer however it arrives. */
Answer parsed_in_every_step(const dbs_chat * chat, const std::string & raw, int32_t parse_tool_calls = 1) {
    const Answer whole = parsed(chat, raw, raw.empty() ? 1 : raw.size(), parse_tool_calls);
    for (const size_t step : { 1, 2, 3, 7 }) {
        CHECK(parsed(chat, raw, step, parse_tool_calls) == whole);
    }
    return whole;
}

void content_streams_as_it_comes(dbs_templates * templates) {
    Request    request("Hello");
    dbs_chat * chat   = request.applied(templates);
    Answer     answer = parsed_in_every_step(chat, "Hello! How can I help you?");
    CHECK(answer.content == "Hello! How can I help you?" && answer.reasoning.empty() && answer.names.empty() && answer.status == DBS_OK);
    CHECK(parsed(chat, "Hello! How can I help you?", 1).first_content_feed == 0);
    CHECK(parsed_in_every_step(chat, "").content.empty());
    CHECK(parsed_in_every_step(chat, "<b> [1] {\"a\":2}\n\n").content == "<b> [1] {\"a\":2}\n\n");
    dbs_chat_free(chat);
}

void a_thought_that_the_prompt_opened_is_split_off(dbs_templates * templates) {
    Request request("What is 2 + 2?");
    request.inputs.enable_thinking = 1;
    dbs_chat * chat   = request.applied(templates);
    Answer     answer = parsed_in_every_step(chat, "2 and 2 make 4.\n</think>\n\n2 + 2 is 4.");
    CHECK(answer.content == "2 + 2 is 4.");
    CHECK(answer.reasoning == "2 and 2 make 4.");
    CHECK(parsed_in_every_step(chat, "\n\nfirst\n\nsecond\n\n</think>\n4").reasoning == "first\n\nsecond");
    // However many newlines follow the thought, none leads the content; those inside it stay.
    CHECK(parsed_in_every_step(chat, "a</think>\n\n\n\n2\n\n3").content == "2\n\n3");
    CHECK(parsed_in_every_step(chat, "a</think>2").content == "2");
    // Cut off in the middle of the thought.
    answer = parsed_in_every_step(chat, "2 and 2 ma");
    CHECK(answer.reasoning == "2 and 2 ma" && answer.content.empty() && answer.status == DBS_OK);
    dbs_chat_free(chat);

    // Not asked to split: the tags stay where they are.
    request.inputs.parse_reasoning = 0;
    chat   = request.applied(templates);
    answer = parsed_in_every_step(chat, "so.\n</think>\n\n4");
    CHECK(answer.reasoning.empty() && answer.content == "<think>\nso.\n</think>\n\n4");
    dbs_chat_free(chat);
    // The empty thought of a prompt that rules one out is no part of the answer.
    request.inputs.enable_thinking = 0;
    chat = request.applied(templates);
    CHECK(parsed_in_every_step(chat, "4").content == "4");
    dbs_chat_free(chat);
}

void calls_come_with_name_id_and_arguments(dbs_templates * templates) {
    Request request("What is the weather in Paris?");
    request.tools                      = weather_tools;
    request.inputs.parallel_tool_calls = 1;
    dbs_chat *        chat = request.applied(templates);
    const std::string call = "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
    Answer            answer = parsed_in_every_step(chat, call);
    CHECK(answer.status == DBS_OK && answer.names == std::vector<std::string>{ "get_weather" } && answer.content.empty());
    CHECK(answer.arguments.size() == 1 && answer.arguments[0] == "{\"city\": \"Paris\"}");
    CHECK(answer.ids.size() == 1 && answer.ids[0].size() > 8);

    answer = parsed_in_every_step(chat, "Let me look.\n" + call);
    CHECK(answer.names.size() == 1 && answer.content.find("Let me look.") == 0);
    answer = parsed_in_every_step(chat, call + "\n" + call);
    CHECK(answer.names.size() == 2 && answer.ids[0] != answer.ids[1]);
    CHECK(parsed_in_every_step(chat, "It is sunny.").content == "It is sunny.");
    dbs_chat_free(chat);

    // With a thought before it.
    request.inputs.enable_thinking = 1;
    chat   = request.applied(templates);
    answer = parsed_in_every_step(chat, "I need the weather.\n</think>\n\n" + call);
    CHECK(answer.names.size() == 1 && answer.content.empty() && answer.reasoning == "I need the weather.");
    dbs_chat_free(chat);
}

void calls_that_nobody_wants_parsed_stay_text(dbs_templates * templates) {
    Request request("What is the weather in Paris?");
    request.tools = weather_tools;
    dbs_chat *        chat = request.applied(templates);
    const std::string raw  = "Well: <tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>";
    const Answer      answer = parsed_in_every_step(chat, raw, 0);
    CHECK(answer.names.empty() && answer.content == raw);
    dbs_chat_free(chat);
}

void what_does_not_parse_is_handed_out_as_content(dbs_templates * templates) {
    Request request("What is the weather in Paris?");
    request.tools = weather_tools;
    dbs_chat *        chat = request.applied(templates);
    const std::string raw  = "Hm. <tool_call>\nno JSON at all</tool_call>";
    for (const size_t step : { static_cast<size_t>(1), raw.size() }) {
        const Answer answer = parsed(chat, raw, step);
        CHECK(answer.status == DBS_NO_PARSE);
        CHECK(answer.content == raw && answer.names.empty());
    }
    dbs_chat_free(chat);
}

void arguments_that_nest_without_end_do_not_blow_the_stack(dbs_templates * templates) {
    Request request("What is the weather in Paris?");
    request.tools                      = R"([{"type":"function","function":{"name":"put","parameters":{"type":"object","properties":{"v":{}}}}}])";
    dbs_chat *        chat = request.applied(templates);
    const std::string open = "<tool_call>\n{\"name\": \"put\", \"arguments\": {\"v\": ";
    const std::string deep = open + std::string(20000, '[');
    CHECK(parsed(chat, deep, deep.size()).status == DBS_NO_PARSE);
    CHECK(parsed(chat, deep, 500).status == DBS_NO_PARSE);
    const std::string fair = open + std::string(150, '[') + std::string(150, ']') + "}}\n</tool_call>";
    const Answer      answer = parsed(chat, fair, fair.size());
    CHECK(answer.status == DBS_OK && answer.names.size() == 1 && answer.arguments[0].size() > 300);
    dbs_chat_free(chat);
}

/** Text streams while it is free, whatever marks it nearly holds; a call's arguments too. */
void no_text_waits_longer_than_it_must(dbs_templates * templates) {
    Request request("What is the weather in Paris?");
    request.tools                  = weather_tools;
    request.inputs.enable_thinking = 1;
    dbs_chat *  chat = request.applied(templates);
    std::string raw  = "I think: <b> </thin {\"a\": [";
    for (int i = 0; i < 300; i++) {
        raw += "step {" + std::to_string(i) + "\n\n";
    }
    raw += "\n</think>\n\nSee <tool_ca> and [here]: ";
    for (int i = 0; i < 300; i++) {
        raw += "{[ word <" + std::to_string(i) + "> \n";
    }
    raw += "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"";
    for (int i = 0; i < 300; i++) {
        raw += "P{ar\\n\\\"is\\\" [" + std::to_string(i) + " it's \xC3\xA9 ";
    }
    raw += "\"}}\n</tool_call>";
    const Answer whole = parsed_in_every_step(chat, raw);
    CHECK(whole.status == DBS_OK && whole.names.size() == 1);
    CHECK(whole.reasoning.size() > 3000 && whole.content.size() > 3000 && whole.arguments.size() == 1 && whole.arguments[0].size() > 6000);

    dbs_parser * parser = nullptr;
    CHECK_STATUS(DBS_OK, dbs_parser_new(chat, 1, &parser));
    size_t out   = 0;
    size_t worst = 0;
    for (size_t i = 0; i < raw.size(); i++) {
        const dbs_delta * deltas = nullptr;
        size_t            n      = 0;
        CHECK_STATUS(DBS_OK, dbs_parser_feed(parser, &raw[i], 1, 0, &deltas, &n));
        for (size_t k = 0; k < n; k++) {
            out += deltas[k].text.size;
        }
        worst = std::max(worst, i + 1 - out);
    }
    CHECK(worst < 200); // the tags and newlines, and a small part of what is read again
    dbs_parser_free(parser);
    dbs_chat_free(chat);
}

void a_continued_message_is_not_repeated(dbs_templates * templates) {
    Request request("");
    request.messages                      = R"([{"role":"user","content":"Count"},{"role":"assistant","content":"1, 2,"}])";
    request.inputs.continue_final_message = 1;
    dbs_chat * chat = request.applied(templates);
    CHECK(parsed_in_every_step(chat, " 3, 4").content == " 3, 4");
    dbs_chat_free(chat);
}

} // namespace

void test_parser(const Demo & demo) {
    dbs_templates * templates = templates_of(demo);
    content_streams_as_it_comes(templates);
    a_thought_that_the_prompt_opened_is_split_off(templates);
    calls_come_with_name_id_and_arguments(templates);
    calls_that_nobody_wants_parsed_stay_text(templates);
    what_does_not_parse_is_handed_out_as_content(templates);
    arguments_that_nest_without_end_do_not_blow_the_stack(templates);
    no_text_waits_longer_than_it_must(templates);
    a_continued_message_is_not_repeated(templates);
    dbs_templates_free(templates);
    dbs_parser_free(nullptr);
}
