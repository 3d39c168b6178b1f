// Requests for the chat tests.
#pragma once

#include "check.h"
#include "sampling.h"
#include "vocab.h"

inline const char * const weather_tools = R"([{"type":"function","function":{"name":"get_weather","description":"Current weather of a city",
    "parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}])";

/** A request whose texts live as long as it does. */
struct Request {
    std::string     messages;
    std::string     tools;
    std::string     schema;
    std::string     grammar;
    std::string     kwargs;
    dbs_chat_inputs inputs = {};

    explicit Request(const std::string & user) : messages(R"([{"role":"user","content":")" + user + R"("}])") {
        inputs.enable_thinking       = 0;
        inputs.add_generation_prompt = 1;
        inputs.parse_reasoning       = 1;
    }

    int32_t apply(dbs_templates * templates, dbs_chat ** out) {
        inputs.messages    = slice(messages);
        inputs.tools       = slice(tools);
        inputs.json_schema = slice(schema);
        inputs.grammar     = slice(grammar);
        inputs.kwargs      = slice(kwargs);
        return dbs_chat_apply(templates, &inputs, out);
    }

    dbs_chat * applied(dbs_templates * templates) {
        dbs_chat * chat = nullptr;
        CHECK_STATUS(DBS_OK, apply(templates, &chat));
        return chat;
    }
};

inline dbs_templates * templates_of(const Demo & demo, const std::string & source = std::string()) {
    dbs_templates * templates = nullptr;
    CHECK_STATUS(DBS_OK, dbs_templates_new(demo.model, source.data(), source.size(), &templates));
    return templates;
}

inline std::string prompt_of(const dbs_chat * chat) {
    dbs_slice prompt = {};
    dbs_chat_prompt(chat, &prompt);
    return text(prompt);
}

inline bool ends_with(const std::string & text, const std::string & end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/** Whether the answer may be `text` and end behind it. Without rules it may. */
inline bool may_only_say(const Demo & demo, const dbs_chat * chat, const std::string & text) {
    dbs_grammar * grammar = nullptr;
    CHECK_STATUS(DBS_OK, dbs_chat_grammar(chat, demo.vocab, &grammar));
    if (grammar == nullptr) {
        return true;
    }
    bool                 allowed = true;
    std::vector<int32_t> tokens  = dbs::tokens_of(demo.vocab, text);
    tokens.push_back(llama_vocab_eos(demo.vocab));
    for (size_t i = 0; i < tokens.size() && allowed; i++) {
        for (dbs::Constraint * constraint : { grammar->rules.get(), grammar->opening.get() }) {
            if (constraint != nullptr) {
                constraint->begin_step();
                allowed = allowed && constraint->allows(tokens[i]);
                if (allowed && i + 1 < tokens.size()) {
                    constraint->accept(tokens[i]);
                }
            }
        }
    }
    dbs_grammar_free(grammar);
    return allowed;
}
