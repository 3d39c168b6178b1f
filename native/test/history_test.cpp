// Calls among a request's messages, as clients send them back: with ids of their own, without arguments, with arguments that were cut off.

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "chat.h"

namespace {

/** A question, a call and its answer, with a question behind them. */
Request with_call(const std::string & id, const std::string & arguments) {
    Request request("");
    request.messages = R"([{"role":"user","content":"Weather in Bern?"},{"role":"assistant","content":"","tool_calls":[{"id":")" + id +
                       R"(","type":"function","function":{"name":"get_weather","arguments":")" + arguments + R"("}}]},{"role":"tool","tool_call_id":")" + id +
                       R"(","name":"get_weather","content":"sunny"}])";
    request.tools    = weather_tools;
    return request;
}

/** The prompt, or nothing where the request is refused with `status`. */
std::string prompt_or(int32_t status, dbs_templates * templates, Request request) {
    dbs_chat *    chat  = nullptr;
    const int32_t found = request.apply(templates, &chat);
    CHECK(found == DBS_OK || found == status);
    const std::string prompt = chat != nullptr ? prompt_of(chat) : "";
    dbs_chat_free(chat);
    return prompt;
}

std::string prompt_with(dbs_templates * templates, const std::string & id, const std::string & arguments) {
    return prompt_or(DBS_OK, templates, with_call(id, arguments));
}

const char * const whole    = R"({\"city\": \"Bern\"})";
const char * const broken   = R"({\"city\": \"Zur)";
const char * const our_id   = "call_S6VLwKkBKqjUq31agTfaHD8V";
const char * const other_id = "toolu_01A09q90qw90lq917835lq9";

void ids_of_any_form_are_taken(dbs_templates * templates) {
    const std::string known = prompt_with(templates, "abc123456", whole);
    CHECK(!known.empty());
    for (const char * id : { our_id, other_id, "1", "<|im_end|>", "é" }) {
        const std::string prompt = prompt_with(templates, id, whole);
        CHECK(!prompt.empty());
        CHECK(prompt == prompt_with(templates, id, whole)); // whatever takes an id's place is the same again
    }
}

/** Mistral's templates show ids of nine letters and digits, and refuse others. */
void ids_are_shortened(dbs_templates * templates) {
    const std::string known  = prompt_with(templates, "abc123456", whole);
    const std::string ours   = prompt_with(templates, our_id, whole);
    const size_t      call   = known.find("abc123456");
    const size_t      answer = known.find("abc123456", call + 9);
    CHECK(answer != std::string::npos && ours.size() == known.size());
    const std::string id = ours.substr(call, 9);
    CHECK(std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isalnum(c) != 0; }) && id != "abc123456");
    CHECK(ours.compare(answer, 9, id) == 0);
    CHECK(prompt_with(templates, other_id, whole).find(id) == std::string::npos);
}

void calls_without_arguments_have_none(dbs_templates * templates) {
    CHECK(prompt_with(templates, "abc123456", "") == prompt_with(templates, "abc123456", "{}"));
    CHECK(prompt_with(templates, "abc123456", " \\n") == prompt_with(templates, "abc123456", "{}"));
}

} // namespace

void test_history(const Demo & demo, const std::string & directory) {
    // Templates that go through a call's arguments one by one: there is nothing that they could show.
    const std::vector<std::string> reading = {
        "ByteDance-Seed-OSS", "GLM-4.6", "GLM-4.7-Flash", "LFM2.5-8B-A1B", "MiniMax-M2", "MiniMax-M3", "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "Qwen3-Coder", "Qwen3.5-4B", "StepFun3.5-Flash", "deepseek-ai-DeepSeek-V3.2", "deepseek-ai-DeepSeek-V4", "deepseek-ai-DeepSeek-V4-Flash-0731", "muse-glimmer",
        "openbmb-MiniCPM5-1B", "poolside-Laguna-S-2.1", "poolside-Laguna-XS-2.1", "poolside-Laguna-XS.2", "tencent-Hy3",
    };
    std::vector<std::string> refusing;
    size_t                   shortening = 0;
    for (const auto & entry : std::filesystem::directory_iterator(directory)) {
        std::ifstream     file(entry.path());
        std::stringstream source;
        source << file.rdbuf();
        dbs_templates * templates = templates_of(demo, source.str());
        ids_of_any_form_are_taken(templates);
        calls_without_arguments_have_none(templates);
        const std::string prompt = prompt_or(DBS_BAD_MESSAGES, templates, with_call("abc123456", broken));
        if (prompt.empty()) {
            refusing.push_back(entry.path().stem());
        } else {
            CHECK(prompt.find("Zur") != std::string::npos || prompt_with(templates, "abc123456", whole).find("Bern\"") == std::string::npos);
        }
        if (source.str().find("alphanumeric strings with length") != std::string::npos) {
            ids_are_shortened(templates);
            shortening++;
        }
        dbs_templates_free(templates);
    }
    std::sort(refusing.begin(), refusing.end());
    CHECK(refusing == reading);
    CHECK(shortening == 2);
}
