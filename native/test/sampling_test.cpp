#include <algorithm>
#include <cmath>
#include <limits>

#include "check.h"

namespace {

const char * const greeting = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";

dbs_sampler * sampler_of(const Demo & demo, const dbs_sampling & settings, dbs_grammar * grammar = nullptr) {
    dbs_sampler * sampler = nullptr;
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &settings, grammar, &sampler));
    return sampler;
}

/** The tokens that a sampler of these settings draws from the same logits, one after another. */
std::vector<int32_t> draws(const Demo & demo, llama_context * ctx, const dbs_sampling & settings, int n) {
    dbs_sampler *        sampler = sampler_of(demo, settings);
    std::vector<int32_t> out;
    for (int i = 0; i < n; i++) {
        int32_t token = -1;
        CHECK_STATUS(DBS_OK, dbs_sampler_sample(sampler, ctx, -1, &token));
        out.push_back(token);
    }
    dbs_sampler_free(sampler);
    return out;
}

void greedy_answers_as_trained(const Demo & demo, llama_context * ctx) {
    dbs_sampler * sampler = sampler_of(demo, greedy());
    CHECK(demo.generate(ctx, sampler, demo.tokens(greeting), 64) == "Hello! I am bloom-demo, a tiny demo model. How can I help you?");
    dbs_sampler_free(sampler);
}

void the_fast_ways_pick_what_the_chain_picks(const Demo & demo, llama_context * ctx) {
    std::vector<int32_t> prompt = demo.tokens("<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n");
    demo.prefill(ctx, prompt);

    // Greedy by argmax against greedy at the end of a whole chain, which a token that is biased twice asks for. What is best is forbidden or
    // moved behind the next best, or level with it, again and again.
    const llama_logit_bias nothing = { 0, 0.0f };
    dbs_sampling           fast    = greedy();
    dbs_sampling           slow    = greedy();
    std::vector<llama_logit_bias> bias;
    for (int round = 0; round < 40; round++) {
        std::vector<llama_logit_bias> twice = bias;
        twice.insert(twice.end(), 2, nothing);
        fast.logit_bias   = bias.data();
        fast.n_logit_bias = static_cast<int32_t>(bias.size());
        slow.logit_bias   = twice.data();
        slow.n_logit_bias = static_cast<int32_t>(twice.size());
        const int32_t chosen = draws(demo, ctx, fast, 1)[0];
        CHECK(chosen == draws(demo, ctx, slow, 1)[0]);
        if (chosen == 0) {
            break;
        }
        const float * logits = llama_get_logits_ith(ctx, -1);
        bool          known  = false;
        for (llama_logit_bias & entry : bias) {
            known      = known || entry.token == chosen;
            entry.bias = entry.token == chosen ? -INFINITY : entry.bias;
        }
        if (!known) {
            const int32_t other = (chosen * 7 + round) % (llama_vocab_n_tokens(demo.vocab) - 1) + 1;
            bias.push_back({ chosen, round % 3 == 0 ? -INFINITY : round % 3 == 1 ? logits[other] - logits[chosen] : 0.5f });
        }
    }
    CHECK(bias.size() > 10);

    // Top-k taken while the logits are read against llama.cpp's own link.
    for (const int32_t k : { 1, 2, 5, 40, 128 }) {
        for (uint32_t seed = 1; seed <= 20; seed++) {
            fast             = greedy();
            fast.temperature = 1.7f;
            fast.top_k       = k;
            fast.top_p       = 0.95f;
            fast.min_p       = 0.01f;
            fast.seed        = seed;
            slow             = fast;
            slow.logit_bias   = &nothing;
            slow.n_logit_bias = 1;
            CHECK(draws(demo, ctx, fast, 8) == draws(demo, ctx, slow, 8));
        }
    }
}

void every_link_builds_and_samples(const Demo & demo, llama_context * ctx) {
    std::vector<int32_t> prompt = demo.tokens(greeting);
    demo.prefill(ctx, prompt);
    const std::string word     = "\n";
    const dbs_slice   breakers[] = { slice(word) };
    dbs_sampling      s        = greedy();
    s.temperature              = 0.8f;
    s.dynatemp_range           = 0.2f;
    s.top_k                    = 200;
    s.top_p                    = 0.9f;
    s.min_p                    = 0.02f;
    s.typical_p                = 0.95f;
    s.top_n_sigma              = 3.0f;
    s.xtc_probability          = 0.5f;
    s.xtc_threshold            = 0.1f;
    s.penalty_last_n           = -1;
    s.penalty_repeat           = 1.1f;
    s.penalty_frequency        = 0.1f;
    s.penalty_presence         = 0.1f;
    s.dry_multiplier           = 0.8f;
    s.dry_penalty_last_n       = -1;
    s.dry_breakers             = breakers;
    s.n_dry_breakers           = 1;
    s.seed                     = 7;
    s.min_keep                 = 1;
    CHECK(draws(demo, ctx, s, 20) == draws(demo, ctx, s, 20));
    s.dry_breakers = nullptr;
    s.n_dry_breakers = 0;
    const uint8_t order[] = { DBS_SAMPLER_TEMPERATURE, DBS_SAMPLER_TOP_K, DBS_SAMPLER_TOP_P };
    std::copy(order, order + 3, s.order);
    s.n_order = 3;
    CHECK(draws(demo, ctx, s, 20) == draws(demo, ctx, s, 20));
    for (const int32_t mirostat : { 1, 2 }) {
        s.mirostat = mirostat;
        CHECK(draws(demo, ctx, s, 20) == draws(demo, ctx, s, 20));
    }
    s.mirostat        = 0;
    s.adaptive_target = 0.5f;
    s.adaptive_decay  = 0.9f;
    CHECK(draws(demo, ctx, s, 20) == draws(demo, ctx, s, 20));
}

void biases_and_penalties_move_the_choice(const Demo & demo, llama_context * ctx) {
    std::vector<int32_t> prompt = demo.tokens(greeting);
    demo.prefill(ctx, prompt);
    const int32_t          first  = draws(demo, ctx, greedy(), 1)[0];
    const llama_logit_bias banned = { first, -std::numeric_limits<float>::infinity() };
    dbs_sampling           s      = greedy();
    s.logit_bias                  = &banned;
    s.n_logit_bias                = 1;
    CHECK(draws(demo, ctx, s, 1)[0] != first);

    // The prompt counts for the penalties.
    s                   = greedy();
    s.penalty_last_n    = 64;
    s.penalty_presence  = 1000.0f;
    dbs_sampler * sampler = sampler_of(demo, s);
    CHECK_STATUS(DBS_OK, dbs_sampler_accept_prompt(sampler, &first, 1));
    int32_t token = first;
    CHECK_STATUS(DBS_OK, dbs_sampler_sample(sampler, ctx, -1, &token));
    CHECK(token != first);
    const int32_t wrong = llama_vocab_n_tokens(demo.vocab);
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_sampler_accept_prompt(sampler, &wrong, 1));
    dbs_sampler_free(sampler);

    s            = greedy();
    s.ignore_eos = 1;
    sampler      = sampler_of(demo, s);
    CHECK(demo.generate(ctx, sampler, demo.tokens(greeting), 40).size() > 62);
    dbs_sampler_free(sampler);
}

void logprobs_are_a_distribution(const Demo & demo, llama_context * ctx) {
    std::vector<int32_t> prompt = demo.tokens(greeting);
    demo.prefill(ctx, prompt);
    const int32_t        n_vocab = llama_vocab_n_tokens(demo.vocab);
    std::vector<int32_t> ids(static_cast<size_t>(n_vocab));
    std::vector<float>   logprobs(static_cast<size_t>(n_vocab));
    float                one = 0.0f;
    CHECK_STATUS(DBS_OK, dbs_logprobs(ctx, -1, 5, n_vocab, &one, ids.data(), logprobs.data()));
    double sum = 0.0;
    for (size_t i = 0; i < logprobs.size(); i++) {
        sum += std::exp(static_cast<double>(logprobs[i]));
        CHECK(i == 0 || logprobs[i] < logprobs[i - 1] || (logprobs[i] == logprobs[i - 1] && ids[i] > ids[i - 1]));
        CHECK(ids[i] != 5 || logprobs[i] == one);
    }
    CHECK(std::fabs(sum - 1.0) < 1e-4);
    CHECK(ids[0] == draws(demo, ctx, greedy(), 1)[0]);

    int32_t few[3];
    float   few_logprobs[3];
    CHECK_STATUS(DBS_OK, dbs_logprobs(ctx, -1, ids[0], 3, &one, few, few_logprobs));
    CHECK(few[0] == ids[0] && few[1] == ids[1] && few[2] == ids[2] && one == few_logprobs[0]);
    CHECK_STATUS(DBS_OK, dbs_logprobs(ctx, -1, 0, 0, &one, nullptr, nullptr));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_logprobs(ctx, -1, n_vocab, 0, &one, nullptr, nullptr));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_logprobs(ctx, -1, -1, 0, &one, nullptr, nullptr));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_logprobs(ctx, 400, 0, 0, &one, nullptr, nullptr));
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_logprobs(ctx, -1, 0, n_vocab + 1, &one, ids.data(), logprobs.data()));
}

void wrong_settings_are_refused(const Demo & demo, llama_context * ctx) {
    dbs_sampler * sampler = nullptr;
    const auto    refused = [&](const dbs_sampling & s) { CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_sampler_new(demo.model, &s, nullptr, &sampler)); };
    dbs_sampling  s       = greedy();
    s.temperature         = std::nanf("");
    refused(s);
    s                = greedy();
    s.penalty_repeat = 0.0f;
    refused(s);
    s          = greedy();
    s.mirostat = 3;
    refused(s);
    s          = greedy();
    s.n_order  = 1;
    s.order[0] = 99;
    refused(s);
    s         = greedy();
    s.n_order = 17;
    refused(s);
    s                           = greedy();
    const llama_logit_bias wrong = { llama_vocab_n_tokens(demo.vocab), 1.0f };
    s.logit_bias                = &wrong;
    s.n_logit_bias              = 1;
    refused(s);
    s = greedy();
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_sampler_new(nullptr, &s, nullptr, &sampler));
    CHECK_STATUS(DBS_OK, dbs_sampler_new(demo.model, &s, nullptr, &sampler));
    int32_t token = 0;
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_sampler_sample(sampler, ctx, 400, &token));
    CHECK(token == -1);
    CHECK_STATUS(DBS_INVALID_ARGUMENT, dbs_sampler_sample(sampler, nullptr, 0, &token));
    dbs_sampler_free(sampler);
    dbs_sampler_free(nullptr);
}

} // namespace

void test_sampling(const Demo & demo) {
    llama_context * ctx = demo.context();
    greedy_answers_as_trained(demo, ctx);
    the_fast_ways_pick_what_the_chain_picks(demo, ctx);
    every_link_builds_and_samples(demo, ctx);
    biases_and_penalties_move_the_choice(demo, ctx);
    logprobs_are_a_distribution(demo, ctx);
    wrong_settings_are_refused(demo, ctx);
    llama_free(ctx);
}
