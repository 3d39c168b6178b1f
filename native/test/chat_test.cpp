#include "chat.h"

namespace {

std::string prompt_with(dbs_templates * templates, Request request) {
    dbs_chat *        chat   = request.applied(templates);
    const std::string prompt = prompt_of(chat);
    dbs_chat_free(chat);
    return prompt;
}

void thinking_is_what_the_request_or_the_template_says(const Demo & demo, dbs_templates * templates) {
    Request request("Hello");
    request.inputs.enable_thinking = 1;
    CHECK(ends_with(prompt_with(templates, request), "<|im_start|>assistant\n<think>\n"));
    request.inputs.enable_thinking = 0;
    CHECK(ends_with(prompt_with(templates, request), "<|im_start|>assistant\n<think>\n\n</think>\n\n"));
    // The demo's own default is a third thing: no tag at all.
    request.inputs.enable_thinking = -1;
    CHECK(ends_with(prompt_with(templates, request), "<|im_start|>assistant\n"));
    request.kwargs = R"({"enable_thinking": true})";
    CHECK(ends_with(prompt_with(templates, request), "<think>\n"));

    // Templates whose default is one of the two.
    const std::string off_unless = "{% for m in messages %}{{ m.content }}{% endfor %}{% if enable_thinking is defined and enable_thinking %}ON{% else %}OFF{% endif %}";
    const std::string on_unless  = "{% for m in messages %}{{ m.content }}{% endfor %}{% if enable_thinking is defined and not enable_thinking %}OFF{% else %}ON{% endif %}";
    dbs_templates *   other      = templates_of(demo, off_unless);
    request.kwargs.clear();
    CHECK(ends_with(prompt_with(other, request), "OFF"));
    request.inputs.enable_thinking = 1;
    CHECK(ends_with(prompt_with(other, request), "ON"));
    request.inputs.enable_thinking = -1;
    dbs_templates_free(other);
    other = templates_of(demo, on_unless);
    CHECK(ends_with(prompt_with(other, request), "ON"));
    dbs_templates_free(other);
}

void caps_tell_what_the_template_can(const Demo & demo, dbs_templates * templates) {
    dbs_template_caps caps = {};
    CHECK_STATUS(DBS_OK, dbs_templates_caps(templates, &caps));
    CHECK(caps.explicit_template == 1 && caps.supports_tools == 1 && caps.supports_tool_calls == 1 && caps.supports_system == 1 && caps.supports_thinking == 1);
    dbs_slice source = {};
    CHECK_STATUS(DBS_OK, dbs_templates_source(templates, &source));
    CHECK(text(source).find("enable_thinking") != std::string::npos);
    dbs_templates * plain = templates_of(demo, "{% for m in messages %}{{ m.content }}{% endfor %}");
    CHECK_STATUS(DBS_OK, dbs_templates_caps(plain, &caps));
    CHECK(caps.supports_tools == 0 && caps.supports_thinking == 0);
    dbs_templates_free(plain);
}

void a_request_becomes_tokens(const Demo & demo, dbs_templates * templates) {
    Request       request("Hello");
    dbs_chat *    chat = request.applied(templates);
    dbs_chat_info info = {};
    dbs_chat_get_info(chat, &info);
    CHECK(info.has_grammar == 0 && info.grammar_lazy == 0);
    int32_t room[256];
    int32_t n = 0;
    CHECK_STATUS(DBS_OK, dbs_chat_tokenize(chat, demo.vocab, room, 256, &n));
    CHECK(std::vector<int32_t>(room, room + n) == demo.tokens(prompt_of(chat)));
    CHECK_STATUS(DBS_TOO_SMALL, dbs_chat_tokenize(chat, demo.vocab, room, 2, &n));
    CHECK(n > 2);
    dbs_grammar * grammar = nullptr;
    CHECK_STATUS(DBS_OK, dbs_chat_grammar(chat, demo.vocab, &grammar));
    CHECK(grammar == nullptr);
    dbs_slice stop = {};
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_chat_stop(chat, info.n_stops, &stop));
    CHECK(dbs_chat_preserves(chat, demo.vocab, -5) == 0);
    dbs_chat_free(chat);
    dbs_chat_free(nullptr);
}

void kwargs_and_the_clock_reach_the_template(const Demo & demo) {
    dbs_templates * templates = templates_of(demo, "{% for m in messages %}{{ m.content }}{% endfor %}|{{ word }}|{{ date_string }}");
    Request         request("Hi");
    request.kwargs             = R"({"word": "green"})";
    request.inputs.now_seconds = 1000000000; // September 2001
    CHECK(prompt_with(templates, request).find("Hi|green|09 Sep 2001") == 0);
    dbs_templates_free(templates);
}

void an_assistant_message_is_continued(dbs_templates * templates) {
    Request request("");
    request.messages                      = R"([{"role":"user","content":"Count"},{"role":"assistant","content":"1, 2,"}])";
    request.inputs.continue_final_message = 1;
    CHECK(ends_with(prompt_with(templates, request), "1, 2,"));
    dbs_chat * chat = nullptr;
    request.messages = R"([{"role":"user","content":"Count"}])";
    CHECK_STATUS(DBS_BAD_MESSAGES, request.apply(templates, &chat));
}

void bad_requests_are_refused(const Demo & demo, dbs_templates * templates) {
    dbs_chat *   chat    = nullptr;
    const auto   refused = [&](int32_t status, Request request) {
        CHECK_STATUS(status, request.apply(templates, &chat));
        CHECK(chat == nullptr);
    };
    Request request("Hello");
    request.messages = "[{";
    refused(DBS_BAD_JSON, request);
    request.messages = "[]";
    refused(DBS_BAD_MESSAGES, request);
    request.messages = R"({"role":"user"})";
    refused(DBS_BAD_MESSAGES, request);
    request.messages = R"([{"role":"user","content":3}])";
    refused(DBS_BAD_MESSAGES, request);
    request.messages = R"([{"role":7,"content":"x"}])";
    refused(DBS_BAD_MESSAGES, request);
    request       = Request("Hello");
    request.tools = "[1";
    refused(DBS_BAD_JSON, request);
    request.tools = R"([{"type":"other"}])";
    refused(DBS_BAD_MESSAGES, request);
    request        = Request("Hello");
    request.kwargs = "[]";
    refused(DBS_BAD_JSON, request);
    request.kwargs = R"({"enable_thinking":"yes"})";
    refused(DBS_BAD_JSON, request);
    request        = Request("Hello");
    request.schema = "{";
    refused(DBS_BAD_JSON, request);
    request.schema = R"({"type":"wrong"})";
    refused(DBS_BAD_SCHEMA, request);
    request.schema  = R"({"type":"object"})";
    request.grammar = "root ::= \"a\"";
    refused(DBS_INVALID_ARGUMENT, request);
    request         = Request("Hello");
    request.tools   = weather_tools;
    request.grammar = "root ::= \"a\"";
    refused(DBS_INVALID_ARGUMENT, request);
    request                    = Request("Hello");
    request.inputs.tool_choice = 3;
    refused(DBS_INVALID_ARGUMENT, request);

    dbs_templates * none = nullptr;
    CHECK_STATUS(DBS_BAD_TEMPLATE, dbs_templates_new(demo.model, "{% if %}", 8, &none));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_templates_new(nullptr, nullptr, 0, &none));
    dbs_templates * raising = templates_of(demo, "{{ raise_exception('no') }}");
    request                 = Request("Hello");
    CHECK_STATUS(DBS_BAD_TEMPLATE, request.apply(raising, &chat));
    dbs_templates_free(raising);
    dbs_templates_free(nullptr);
}

void grammars_of_a_format_hold(const Demo & demo, dbs_templates * templates) {
    llama_context *    ctx      = demo.context();
    const dbs_sampling settings = greedy();
    const auto         answer   = [&](Request & request) {
        dbs_chat *    chat    = request.applied(templates);
        dbs_grammar * grammar = nullptr;
        CHECK_STATUS(DBS_OK, dbs_chat_grammar(chat, demo.vocab, &grammar));
        CHECK(grammar != nullptr);
        dbs_sampler * sampler = nullptr;
        CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &settings, grammar, &sampler));
        const std::string out = demo.generate(ctx, sampler, demo.tokens(prompt_of(chat)), 120);
        dbs_sampler_free(sampler);
        dbs_chat_free(chat);
        return out;
    };
    // A lazy grammar lets content pass and holds the call to its schema.
    Request request("What is the weather in Paris?");
    request.tools = weather_tools;
    CHECK(answer(request) == "<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Paris\"}}\n</tool_call>");
    request.messages = R"([{"role":"user","content":"Hello"}])";
    CHECK(answer(request).find("Hello!") == 0);
    // A forced call, though the model would rather greet.
    request.inputs.tool_choice = DBS_TOOL_REQUIRED;
    const std::string forced = answer(request);
    CHECK(forced.find_first_not_of(" \n") == forced.find("<tool_call>\n") && forced.find("{\"name\": \"get_weather\"") != std::string::npos);
    request.inputs.enable_thinking = 1;
    const std::string thought      = answer(request);
    const size_t      end          = thought.find("</think>");
    CHECK(end != std::string::npos && thought.find_first_not_of(" \n", end + 8) == thought.find("<tool_call>"));
    // A schema, with and without a thought before it.
    Request json("What is the capital of Chile as JSON?");
    json.schema = R"({"type":"object","properties":{"capital":{"type":"string"}},"required":["capital"],"additionalProperties":false})";
    CHECK(answer(json) == "{\"capital\": \"Santiago\"}" || answer(json).find("{\"capital\":") == 0);
    json.inputs.enable_thinking = 1;
    CHECK(answer(json).find("</think>") != std::string::npos);
    // A caller's own.
    Request own("Hello");
    own.grammar = "root ::= \"ok\"";
    CHECK(answer(own) == "ok");
    llama_free(ctx);
}

} // namespace

void test_chat(const Demo & demo) {
    dbs_templates * templates = templates_of(demo);
    thinking_is_what_the_request_or_the_template_says(demo, templates);
    caps_tell_what_the_template_can(demo, templates);
    a_request_becomes_tokens(demo, templates);
    kwargs_and_the_clock_reach_the_template(demo);
    an_assistant_message_is_continued(templates);
    bad_requests_are_refused(demo, templates);
    grammars_of_a_format_hold(demo, templates);
    dbs_templates_free(templates);
}
