#include <cctype>
#include <thread>

#include "check.h"

namespace {

const char * const question = "<|im_start|>user\nWhat is the capital of France?<|im_end|>\n<|im_start|>assistant\n";

dbs_grammar * grammar_of(const Demo & demo, const std::string & gbnf) {
    dbs_grammar * grammar = nullptr;
    CHECK_STATUS(DBS_OK, dbs_grammar_new(demo.vocab, gbnf.data(), gbnf.size(), &grammar));
    return grammar;
}

std::string constrained(const Demo & demo, llama_context * ctx, const std::string & gbnf, const dbs_sampling & settings) {
    dbs_sampler * sampler = nullptr;
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &settings, grammar_of(demo, gbnf), &sampler));
    const std::string answer = demo.generate(ctx, sampler, demo.tokens(question), 80);
    dbs_sampler_free(sampler);
    return answer;
}

void answers_follow_their_grammar(const Demo & demo, llama_context * ctx) {
    const std::string number = constrained(demo, ctx, "root ::= [0-9] [0-9] [0-9]", greedy());
    CHECK(number.size() == 3 && std::isdigit(number[0]) && std::isdigit(number[2]));
    // The model would rather end or talk on; the grammar decides where the end is.
    CHECK(constrained(demo, ctx, "root ::= \"Paris\" | \"Rome\"", greedy()) == "Paris");
    // Upstream's own matcher was not done with one token of such a grammar after a minute.
    const std::string letters = constrained(demo, ctx, "root ::= \"P\" (\"a\"? \"r\"?){300}", greedy());
    CHECK(letters.find('P') == 0 && letters.find_first_not_of("ar", 1) == std::string::npos);
    dbs_sampling warm = greedy();
    warm.temperature  = 1.5f;
    warm.top_k        = 40;
    warm.seed         = 3;
    for (uint32_t seed = 0; seed < 8; seed++) {
        warm.seed               = seed;
        const std::string choice = constrained(demo, ctx, "root ::= \"yes\" | \"no\"", warm);
        CHECK(choice == "yes" || choice == "no");
    }
}

void a_complete_grammar_ends_an_answer_that_ignores_its_end(const Demo & demo, llama_context * ctx) {
    dbs_sampling settings = greedy();
    settings.ignore_eos   = 1;
    dbs_sampler * sampler = nullptr;
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &settings, grammar_of(demo, "root ::= \"Paris\" | \"Rome\""), &sampler));
    std::string          answer;
    std::vector<int32_t> prompt = demo.tokens(question);
    demo.prefill(ctx, prompt);
    int32_t token = -1;
    for (int i = 0; i < 20; i++) {
        CHECK_STATUS(DBS_OK, dbs_sampler_sample(sampler, ctx, -1, &token));
        if (token < 0 || demo.ends_generation(token)) {
            break;
        }
        answer += demo.piece(token);
        demo.step(ctx, token);
    }
    CHECK(answer == "Paris" && token >= 0 && demo.ends_generation(token));
    dbs_sampler_free(sampler);
}

void a_schema_becomes_a_grammar(const Demo & demo, llama_context * ctx) {
    const std::string schema = R"({"type":"object","properties":{"city":{"type":"string"},"big":{"type":"boolean"}},"required":["city","big"],"additionalProperties":false})";
    dbs_text *        gbnf   = nullptr;
    CHECK_STATUS(DBS_OK, dbs_schema_to_grammar(schema.data(), schema.size(), &gbnf));
    dbs_slice grammar = {};
    dbs_text_get(gbnf, &grammar);
    CHECK(text(grammar).find("root ::=") != std::string::npos);
    const std::string answer = constrained(demo, ctx, text(grammar), greedy());
    CHECK(answer.find("{") == 0 && answer.find("\"city\"") != std::string::npos);
    dbs_text_free(gbnf);
    dbs_text_free(nullptr);

    CHECK_STATUS(DBS_BAD_JSON, dbs_schema_to_grammar("{", 1, &gbnf));
    CHECK_STATUS(DBS_BAD_SCHEMA, dbs_schema_to_grammar("[1]", 3, &gbnf));
    const std::string wrong = R"({"type":"wrong"})";
    CHECK_STATUS(DBS_BAD_SCHEMA, dbs_schema_to_grammar(wrong.data(), wrong.size(), &gbnf));
    const std::string astray = R"({"$ref":"#/nowhere"})";
    CHECK_STATUS(DBS_BAD_SCHEMA, dbs_schema_to_grammar(astray.data(), astray.size(), &gbnf));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_schema_to_grammar(nullptr, 0, &gbnf));
}

void bad_grammars_are_refused(const Demo & demo) {
    dbs_grammar * grammar = nullptr;
    for (const std::string & gbnf : { std::string("root ::= \"a"), std::string("root ::= nothing"), std::string("rule ::= \"a\""),
                                      std::string("root ::= root \"a\""), std::string("root ::= \"a\"\0x", 13), std::string("!"),
                                      std::string("root ::= \"a\"{5,2}"), std::string("root ::= \"a\"{5000}"),
                                      "root ::= \"" + std::string(100000, 'x') + "\"{0,1999}",
                                      "root ::= " + std::string(5000, '(') + "\"a\"" + std::string(5000, ')') }) {
        CHECK_STATUS(DBS_BAD_GRAMMAR, dbs_grammar_new(demo.vocab, gbnf.data(), gbnf.size(), &grammar));
        CHECK(grammar == nullptr);
    }
    // What looks like the above in a literal, a class or a comment is not that.
    for (const std::string gbnf : { "root ::= \"{5,2}\" [{5,2}] # {5,2}\n", "root ::= [\\]{5,2}(] \"\\\"{5,2}\"", "root ::= \"a\"{2,5} \"b\"{3} \"c\"{2,}" }) {
        dbs_grammar_free(grammar_of(demo, gbnf));
    }
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_grammar_new(demo.vocab, "", 0, &grammar));
    dbs_grammar_free(nullptr);
    // Taken even where the sampler is refused, so that nobody frees it twice.
    dbs_sampling s   = greedy();
    s.mirostat       = 9;
    dbs_sampler * sampler = nullptr;
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_sampler_new(demo.model, &s, grammar_of(demo, "root ::= \"a\""), &sampler));
}

// Tested on a thread with the JVM's default stack of one megabyte.
void chains_of_references_are_survived(const Demo & demo) {
    std::string gbnf   = "root ::= r0\n";
    std::string schema = R"({"$ref":"#/$defs/d0","$defs":{)";
    for (int i = 0; i < 20000; i++) {
        gbnf += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + "\n";
        schema += "\"d" + std::to_string(i) + "\":{\"$ref\":\"#/$defs/d" + std::to_string(i + 1) + "\"},";
    }
    gbnf += "r20000 ::= \"x\"\n";
    schema += R"("d20000":{"type":"string"}}})";
    std::thread([&] {
        dbs_grammar_free(grammar_of(demo, gbnf));
        dbs_text * text = nullptr;
        CHECK_STATUS(DBS_OK, dbs_schema_to_grammar(schema.data(), schema.size(), &text));
        dbs_text_free(text);
    }).join();
}

void a_grammar_that_allows_nothing_ends_in_a_status(const Demo & demo, llama_context * ctx) {
    // Every token that could go on is banned.
    std::vector<llama_logit_bias> bans;
    for (int32_t token = 0; token < llama_vocab_n_tokens(demo.vocab); token++) {
        if (demo.piece(token).find('a') != std::string::npos) {
            bans.push_back({ token, -__builtin_inff() });
        }
    }
    dbs_sampling s = greedy();
    s.logit_bias   = bans.data();
    s.n_logit_bias = bans.size();
    dbs_sampler * sampler = nullptr;
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &s, grammar_of(demo, "root ::= \"a\""), &sampler));
    std::vector<int32_t> prompt = demo.tokens(question);
    demo.prefill(ctx, prompt);
    int32_t token = 0;
    CHECK_STATUS(DBS_BAD_GRAMMAR, dbs_sampler_sample(sampler, ctx, -1, &token));
    CHECK_STATUS(DBS_BAD_GRAMMAR, dbs_sampler_sample(sampler, ctx, -1, &token));
    dbs_sampler_free(sampler);
}

void sampling_past_the_end_of_a_grammar_stays_at_the_end(const Demo & demo, llama_context * ctx) {
    const dbs_sampling s       = greedy();
    dbs_sampler *      sampler = nullptr;
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &s, grammar_of(demo, "root ::= \"1\""), &sampler));
    std::vector<int32_t> prompt = demo.tokens(question);
    demo.prefill(ctx, prompt);
    int32_t token = 0;
    CHECK_STATUS(DBS_OK, dbs_sampler_sample(sampler, ctx, -1, &token));
    CHECK(demo.piece(token) == "1");
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(DBS_OK, dbs_sampler_sample(sampler, ctx, -1, &token));
        CHECK(demo.ends_generation(token));
    }
    dbs_sampler_free(sampler);
}

} // namespace

void test_grammars(const Demo & demo) {
    llama_context * ctx = demo.context();
    answers_follow_their_grammar(demo, ctx);
    a_complete_grammar_ends_an_answer_that_ignores_its_end(demo, ctx);
    a_schema_becomes_a_grammar(demo, ctx);
    bad_grammars_are_refused(demo);
    chains_of_references_are_survived(demo);
    a_grammar_that_allows_nothing_ends_in_a_status(demo, ctx);
    sampling_past_the_end_of_a_grammar_stays_at_the_end(demo, ctx);
    llama_free(ctx);
}
