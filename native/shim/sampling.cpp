// One request's sampler: the chain picks, the grammar checks.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "reasoning-budget.h"

#include "argmax.h"
#include "deep_stack.h"
#include "gbnf_check.h"
#include "guard.h"
#include "sampling.h"

namespace {

// llama.cpp's own order.
constexpr uint8_t default_order[] = {
    DBS_SAMPLER_PENALTIES, DBS_SAMPLER_DRY,       DBS_SAMPLER_TOP_N_SIGMA, DBS_SAMPLER_TOP_K,       DBS_SAMPLER_TYPICAL_P,
    DBS_SAMPLER_TOP_P,     DBS_SAMPLER_MIN_P,     DBS_SAMPLER_XTC,         DBS_SAMPLER_TEMPERATURE,
};

constexpr const char * default_breakers[] = { "\n", ":", "\"", "*" };

// Up to this k, a sorted list of the best so far, kept while the logits are read once, beats copying and sorting the vocabulary.
constexpr int32_t max_direct_top_k = 128;

bool better(float logit, int32_t id, const llama_token_data & than) {
    return logit > than.logit || (logit == than.logit && id < than.id);
}

/** The largest of `n` values, a multiple of 16; in lanes that do not depend on each other, which makes vector instructions of it. */
float largest(const float * values, int32_t n) {
    constexpr int32_t lanes = 16;
    float             most[lanes];
    std::copy(values, values + lanes, most);
    for (int32_t i = lanes; i < n; i += lanes) {
        for (int32_t lane = 0; lane < lanes; lane++) {
            most[lane] = values[i + lane] > most[lane] ? values[i + lane] : most[lane];
        }
    }
    return *std::max_element(most, most + lanes);
}

} // namespace

struct dbs_sampler {
    llama_sampler *                chain = nullptr;
    std::unique_ptr<dbs_grammar>   grammar;
    std::vector<llama_token_data>  candidates; // [n_vocab], so that no step allocates
    std::vector<uint64_t>          allowed;    // a bit for each token, of a step that asks the grammar for all of them
    const llama_vocab *            vocab        = nullptr;
    int32_t                        n_vocab      = 0;
    int32_t                        direct_top_k = 0;     // > 0: the chain's first link was this top-k, and we do it
    bool                           takes_argmax = false; // the chain is greedy and nothing but `bias` can move the maximum
    std::vector<llama_logit_bias>  bias;                 // of a chain that takes the argmax: sorted, a token once
    bool                           broken       = false; // the grammar stands nowhere any more

    ~dbs_sampler() { llama_sampler_free(chain); }

    void add(llama_sampler * link) { llama_sampler_chain_add(chain, link); }

    // A lazy grammar and an opening sleep while the model thinks: tool markers in a thought are only talk.
    bool is_thinking() const {
        if (grammar == nullptr || grammar->thinking == nullptr) {
            return false;
        }
        const common_reasoning_budget_state state = common_reasoning_budget_get_state(grammar->thinking);
        return state != REASONING_BUDGET_IDLE && state != REASONING_BUDGET_DONE;
    }

    dbs::Constraint * awake_rules() const {
        return grammar != nullptr && !(grammar->lazy && is_thinking()) ? grammar->rules.get() : nullptr;
    }

    dbs::Constraint * awake_opening() const {
        return grammar != nullptr && !is_thinking() ? grammar->opening.get() : nullptr;
    }

    dbs::ThoughtGuard * awake_guard() const {
        return is_thinking() ? grammar->thought.get() : nullptr;
    }

    llama_token_data_array all_candidates(const float * logits) {
        for (int32_t id = 0; id < n_vocab; id++) {
            candidates[id] = { id, logits[id], 0.0f };
        }
        return { candidates.data(), candidates.size(), -1, false };
    }

    llama_token_data_array top_candidates(const float * logits, int32_t k) {
        constexpr int32_t block = 128;
        k = std::min(k, n_vocab);
        llama_token_data * best = candidates.data();
        int32_t            held = 0;
        for (int32_t begin = 0; begin < n_vocab; begin += block) {
            const int32_t end = std::min(n_vocab, begin + block);
            // Nearly all of a vocabulary is far behind the best: whole blocks are passed over.
            if (held == k && end - begin == block && !(largest(logits + begin, block) > best[k - 1].logit)) {
                continue;
            }
            for (int32_t id = begin; id < end; id++) {
                const float logit = logits[id];
                // Ids come in rising order, so an equal one never replaces one that is held.
                if (held == k && !(logit > best[k - 1].logit)) {
                    continue;
                }
                int32_t at = held < k ? held++ : k - 1;
                while (at > 0 && better(logit, id, best[at - 1])) {
                    best[at] = best[at - 1];
                    at--;
                }
                best[at] = { id, logit, 0.0f };
            }
        }
        return { best, static_cast<size_t>(k), -1, true };
    }

    // The grammar's view of one token, which costs a fraction of a microsecond; of the whole vocabulary it may be a millisecond.
    bool grammar_allows(int32_t id) const {
        dbs::Constraint * const rules   = awake_rules();
        dbs::Constraint * const opening = awake_opening();
        return guard_allows(id) && (rules == nullptr || rules->allows(id)) && (opening == nullptr || opening->allows(id));
    }

    bool guard_allows(int32_t id) const {
        dbs::ThoughtGuard * const guard = awake_guard();
        return guard == nullptr || guard->allows(id);
    }

    int32_t pick(llama_token_data_array & array) {
        llama_sampler_apply(chain, &array);
        if (array.selected < 0 || static_cast<size_t>(array.selected) >= array.size) {
            return -1;
        }
        return array.data[array.selected].logit == -INFINITY ? -1 : array.data[array.selected].id;
    }

    // Greedy's choice with some tokens' logits moved; -1 where only the whole chain can tell.
    int32_t biased_argmax(const float * logits) const {
        const auto before = [](const llama_logit_bias & entry, int32_t id) { return entry.token < id; };
        int32_t    best   = argmax(logits, n_vocab);
        const auto found  = std::lower_bound(bias.begin(), bias.end(), best, before);
        if ((found != bias.end() && found->token == best) || std::isnan(logits[best])) {
            return -1; // the best of the others is not known
        }
        float most = logits[best];
        for (const llama_logit_bias & entry : bias) {
            const float moved = logits[entry.token] + entry.bias;
            if (moved > most || (moved == most && entry.token < best)) {
                best = entry.token;
                most = moved;
            }
        }
        return best;
    }

    // The chain's choice among everything; -1 when it selects nothing.
    int32_t first_choice(const float * logits) {
        if (takes_argmax) {
            const int32_t best = biased_argmax(logits);
            if (best >= 0) {
                return best;
            }
        }
        llama_token_data_array array = direct_top_k > 0 ? top_candidates(logits, direct_top_k) : all_candidates(logits);
        return pick(array);
    }

    // The chain's choice among what the grammar allows; -1 when it allows nothing.
    int32_t allowed_choice(const float * logits) {
        allowed.assign((static_cast<size_t>(n_vocab) + 63) / 64, ~uint64_t{ 0 });
        for (dbs::Constraint * constraint : { awake_rules(), awake_opening() }) {
            if (constraint != nullptr) {
                constraint->restrict(allowed);
            }
        }
        int32_t chosen = choice_of_allowed(logits);
        while (chosen >= 0 && !guard_allows(chosen)) { // a guard refuses few tokens, which are not worth a look at the whole vocabulary
            allowed[static_cast<size_t>(chosen) / 64] &= ~(uint64_t{ 1 } << (chosen % 64));
            chosen = choice_of_allowed(logits);
        }
        return chosen;
    }

    // The chain's choice among the tokens whose bits are set; -1 when it selects nothing.
    int32_t choice_of_allowed(const float * logits) {
        // The refused ones would survive a top-k over fewer allowed ones, so they are left out.
        llama_token_data_array array = { candidates.data(), 0, -1, false };
        size_t                 kept  = 0;
        for (int32_t id = 0; id < n_vocab; id++) {
            if ((allowed[static_cast<size_t>(id) / 64] >> (id % 64) & 1) != 0 && logits[id] != -INFINITY) {
                array.data[kept++] = { id, logits[id], 0.0f };
            }
        }
        if (kept == 0) {
            return -1;
        }
        array.size = kept;
        if (direct_top_k > 0) {
            // What the chain's own top-k would leave, in the order that it leaves it.
            const size_t k = std::min(kept, static_cast<size_t>(direct_top_k));
            std::partial_sort(array.data, array.data + k, array.data + kept, [](const llama_token_data & a, const llama_token_data & b) {
                return better(a.logit, a.id, b);
            });
            array.size   = k;
            array.sorted = true;
        }
        return pick(array);
    }

    // What ends the answer where the grammar is complete and the request's own bias forbids every end, as `ignore_eos` does; -1 where the
    // grammar wants more. A grammar that nothing can follow ends the answer, whatever the bias says.
    int32_t forbidden_end(const float * logits) const {
        int32_t best = -1;
        for (int32_t id = 0; id < n_vocab; id++) {
            if (llama_vocab_is_eog(vocab, id) && grammar_allows(id) && (best < 0 || logits[id] > logits[best])) {
                best = id;
            }
        }
        return best;
    }

    void begin_step() {
        if (grammar != nullptr) {
            grammar->rules->begin_step();
            if (grammar->opening != nullptr) {
                grammar->opening->begin_step();
            }
        }
    }

    // As llama.cpp's common sampler: who is awake is decided before the token moves the state of the thought.
    void accept(int32_t token) {
        dbs::Constraint * const rules   = awake_rules();
        dbs::Constraint * const opening = awake_opening();
        const bool              thought = is_thinking();
        if (grammar != nullptr && grammar->thinking != nullptr) {
            llama_sampler_accept(grammar->thinking, token);
            if (grammar->thought != nullptr && !thought && is_thinking()) {
                grammar->thought->reset();
            } else if (grammar->thought != nullptr && thought) {
                grammar->thought->accept(token);
            }
            if (grammar->lazy && thought && !is_thinking()) {
                // The tag that ended the thought may itself be what the grammar waits for.
                if (const std::vector<llama_token> * tag = common_reasoning_budget_get_end_match(grammar->thinking)) {
                    for (const llama_token part : *tag) {
                        grammar->rules->accept(part);
                    }
                }
            }
        }
        if (rules != nullptr) {
            rules->accept(token);
        }
        // What ends the answer has no text, and the opening has nothing to say about it once it was allowed.
        if (opening != nullptr && !llama_vocab_is_eog(vocab, token)) {
            opening->accept(token);
        }
        llama_sampler_accept(chain, token);
    }
};

namespace {

bool settings_are_sane(const dbs_sampling & s) {
    const float numbers[] = { s.temperature,     s.dynatemp_range,    s.dynatemp_exponent, s.top_p,          s.min_p,    s.typical_p,
                              s.top_n_sigma,     s.xtc_probability,   s.xtc_threshold,     s.penalty_repeat, s.dry_base, s.dry_multiplier,
                              s.penalty_frequency, s.penalty_presence, s.mirostat_tau,     s.mirostat_eta,   s.adaptive_target, s.adaptive_decay };
    for (const float number : numbers) {
        if (!std::isfinite(number)) {
            return false;
        }
    }
    if (!(s.penalty_repeat > 0.0f) || !std::isfinite(1.0f / s.penalty_repeat)) {
        return false;
    }
    if (s.mirostat < 0 || s.mirostat > 2 || s.min_keep < 0 || s.n_ctx < 0 || s.n_order < 0 ||
        s.n_order > static_cast<int32_t>(sizeof(s.order)) || s.penalty_last_n < -1 || s.dry_penalty_last_n < -1 || s.dry_allowed_length < 0) {
        return false;
    }
    for (int32_t i = 0; i < s.n_order; i++) {
        if (s.order[i] < DBS_SAMPLER_PENALTIES || s.order[i] > DBS_SAMPLER_TEMPERATURE) {
            return false;
        }
    }
    return (s.n_logit_bias == 0 || s.logit_bias != nullptr) && (s.n_dry_breakers == 0 || s.dry_breakers != nullptr);
}

/** Adds one link, or nothing when its settings switch it off. */
void add_link(dbs_sampler & sampler, const llama_vocab * vocab, const dbs_sampling & s, uint8_t kind) {
    const size_t min_keep = static_cast<size_t>(s.min_keep);
    // A history longer than the context never fills, but llama.cpp would make room for it.
    const auto    history   = [&](int32_t last_n) { return last_n == -1 || (s.n_ctx > 0 && last_n > s.n_ctx) ? s.n_ctx : last_n; };
    const int32_t penalty_n = history(s.penalty_last_n);
    const int32_t dry_n     = history(s.dry_penalty_last_n);
    switch (kind) {
        case DBS_SAMPLER_PENALTIES:
            if (penalty_n != 0 && (s.penalty_repeat != 1.0f || s.penalty_frequency != 0.0f || s.penalty_presence != 0.0f)) {
                sampler.add(llama_sampler_init_penalties(sampler.n_vocab, penalty_n, s.penalty_repeat, s.penalty_frequency, s.penalty_presence));
            }
            break;
        case DBS_SAMPLER_DRY:
            if (s.dry_multiplier != 0.0f && s.dry_base >= 1.0f && dry_n != 0) {
                std::vector<std::string>  texts;
                std::vector<const char *> breakers;
                if (s.dry_breakers != nullptr) {
                    for (size_t i = 0; i < s.n_dry_breakers; i++) {
                        texts.emplace_back(s.dry_breakers[i].data, s.dry_breakers[i].size);
                    }
                } else {
                    texts.assign(std::begin(default_breakers), std::end(default_breakers));
                }
                for (const std::string & text : texts) {
                    breakers.push_back(text.c_str());
                }
                sampler.add(llama_sampler_init_dry(vocab, s.dry_multiplier, s.dry_base, s.dry_allowed_length, dry_n, breakers.data(), breakers.size()));
            }
            break;
        case DBS_SAMPLER_TOP_N_SIGMA:
            if (s.top_n_sigma > 0.0f) {
                sampler.add(llama_sampler_init_top_n_sigma(s.top_n_sigma));
            }
            break;
        case DBS_SAMPLER_TOP_K:
            if (s.top_k > 0) {
                if (s.top_k <= max_direct_top_k && llama_sampler_chain_n(sampler.chain) == 0 && sampler.direct_top_k == 0) {
                    sampler.direct_top_k = s.top_k;
                } else {
                    sampler.add(llama_sampler_init_top_k(s.top_k));
                }
            }
            break;
        case DBS_SAMPLER_TYPICAL_P:
            if (s.typical_p < 1.0f) {
                sampler.add(llama_sampler_init_typical(s.typical_p, min_keep));
            }
            break;
        case DBS_SAMPLER_TOP_P:
            if (s.top_p < 1.0f) {
                sampler.add(llama_sampler_init_top_p(s.top_p, min_keep));
            }
            break;
        case DBS_SAMPLER_MIN_P:
            if (s.min_p > 0.0f) {
                sampler.add(llama_sampler_init_min_p(s.min_p, min_keep));
            }
            break;
        case DBS_SAMPLER_XTC:
            if (s.xtc_probability > 0.0f) {
                sampler.add(llama_sampler_init_xtc(s.xtc_probability, s.xtc_threshold, min_keep, s.seed));
            }
            break;
        case DBS_SAMPLER_TEMPERATURE:
            if (s.temperature != 1.0f || s.dynatemp_range > 0.0f) {
                sampler.add(llama_sampler_init_temp_ext(s.temperature, s.dynatemp_range, s.dynatemp_exponent));
            }
            break;
        default:
            break;
    }
}

// Links that can take the most likely token away or move the maximum; the others leave greedy sampling's choice as it is.
bool matters_to_greedy(uint8_t kind) {
    return kind == DBS_SAMPLER_PENALTIES || kind == DBS_SAMPLER_DRY || kind == DBS_SAMPLER_TYPICAL_P || kind == DBS_SAMPLER_XTC;
}

int32_t build(dbs_sampler & sampler, const llama_vocab * vocab, const dbs_sampling & s) {
    sampler.vocab   = vocab;
    sampler.n_vocab = llama_vocab_n_tokens(vocab);
    if (sampler.n_vocab <= 0) {
        return DBS_INVALID_ARGUMENT;
    }
    sampler.candidates.resize(static_cast<size_t>(sampler.n_vocab));
    llama_sampler_chain_params chain_params = llama_sampler_chain_default_params();
    chain_params.no_perf                    = true;
    sampler.chain                           = llama_sampler_chain_init(chain_params);

    std::vector<llama_logit_bias> bias(s.logit_bias, s.logit_bias + s.n_logit_bias);
    for (const llama_logit_bias & entry : bias) {
        if (entry.token < 0 || entry.token >= sampler.n_vocab || std::isnan(entry.bias)) {
            return DBS_INVALID_ARGUMENT;
        }
    }
    // Tokens that the model's file says must never come out.
    int32_t             n_suppressed = 0;
    const llama_token * suppressed   = llama_vocab_get_suppress_tokens(vocab, &n_suppressed);
    for (int32_t i = 0; i < n_suppressed; i++) {
        bias.push_back({ suppressed[i], -INFINITY });
    }
    if (s.ignore_eos != 0) {
        for (int32_t token = 0; token < sampler.n_vocab; token++) {
            if (llama_vocab_is_eog(vocab, token)) {
                bias.push_back({ token, -INFINITY });
            }
        }
    }
    if (!bias.empty()) {
        sampler.add(llama_sampler_init_logit_bias(sampler.n_vocab, static_cast<int32_t>(bias.size()), bias.data()));
    }

    const uint8_t * order   = s.n_order > 0 ? s.order : default_order;
    const size_t    n_order = s.n_order > 0 ? static_cast<size_t>(s.n_order) : sizeof(default_order);
    if (s.temperature <= 0.0f) {
        for (size_t i = 0; i < n_order; i++) {
            if (matters_to_greedy(order[i])) {
                add_link(sampler, vocab, s, order[i]);
            }
        }
        sampler.takes_argmax = llama_sampler_chain_n(sampler.chain) == (bias.empty() ? 0 : 1);
        if (sampler.takes_argmax) {
            std::sort(bias.begin(), bias.end(), [](const llama_logit_bias & a, const llama_logit_bias & b) { return a.token < b.token; });
            // A token that is named twice is moved twice; the whole chain does that.
            sampler.takes_argmax = std::adjacent_find(bias.begin(), bias.end(), [](const llama_logit_bias & a, const llama_logit_bias & b) {
                                       return a.token == b.token;
                                   }) == bias.end();
            sampler.bias         = std::move(bias);
        }
        sampler.add(llama_sampler_init_greedy());
    } else if (s.mirostat > 0) {
        sampler.add(llama_sampler_init_temp(s.temperature));
        sampler.add(s.mirostat == 1 ? llama_sampler_init_mirostat(sampler.n_vocab, s.seed, s.mirostat_tau, s.mirostat_eta, 100)
                                    : llama_sampler_init_mirostat_v2(s.seed, s.mirostat_tau, s.mirostat_eta));
    } else {
        for (size_t i = 0; i < n_order; i++) {
            add_link(sampler, vocab, s, order[i]);
        }
        sampler.add(s.adaptive_target >= 0.0f ? llama_sampler_init_adaptive_p(s.adaptive_target, s.adaptive_decay, s.seed)
                                              : llama_sampler_init_dist(s.seed));
    }
    return DBS_OK;
}

const float * logits_of(llama_context * ctx, int32_t row, int32_t n_vocab) {
    if (llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(ctx))) != n_vocab) {
        return nullptr;
    }
    return llama_get_logits_ith(ctx, row);
}

} // namespace

int32_t dbs_grammar_new(const struct llama_vocab * vocab, const char * gbnf, size_t size, dbs_grammar ** out) {
    if (vocab == nullptr || gbnf == nullptr || size == 0 || out == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    return dbs::on_deep_stack(DBS_BAD_GRAMMAR, [&]() -> int32_t {
        const std::string text(gbnf, size);
        if (!dbs::gbnf_is_safe(text)) {
            return DBS_BAD_GRAMMAR;
        }
        auto grammar   = std::make_unique<dbs_grammar>();
        grammar->rules = dbs::Constraint::compile(vocab, text);
        if (grammar->rules == nullptr) {
            return DBS_BAD_GRAMMAR;
        }
        *out = grammar.release();
        return DBS_OK;
    });
}

void dbs_grammar_free(dbs_grammar * grammar) {
    delete grammar;
}

int32_t dbs_sampler_new(const struct llama_model * model, const dbs_sampling * sampling, dbs_grammar * grammar, dbs_sampler ** out) {
    std::unique_ptr<dbs_grammar> taken(grammar);
    if (model == nullptr || sampling == nullptr || out == nullptr || !settings_are_sane(*sampling)) {
        return DBS_INVALID_ARGUMENT;
    }
    *out = nullptr;
    const dbs::Quiet quiet;
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        auto sampler     = std::make_unique<dbs_sampler>();
        sampler->grammar = std::move(taken);
        const int32_t status = build(*sampler, llama_model_get_vocab(model), *sampling);
        if (status == DBS_OK) {
            *out = sampler.release();
        }
        return status;
    });
}

void dbs_sampler_free(dbs_sampler * sampler) {
    delete sampler;
}

int32_t dbs_sampler_accept_prompt(dbs_sampler * sampler, const int32_t * tokens, int32_t n_tokens) {
    if (sampler == nullptr || n_tokens < 0 || (tokens == nullptr && n_tokens > 0)) {
        return DBS_INVALID_ARGUMENT;
    }
    for (int32_t i = 0; i < n_tokens; i++) {
        if (tokens[i] < 0 || tokens[i] >= sampler->n_vocab) {
            return DBS_INVALID_ARGUMENT;
        }
    }
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        for (int32_t i = 0; i < n_tokens; i++) {
            llama_sampler_accept(sampler->chain, tokens[i]);
        }
        return DBS_OK;
    });
}

int32_t dbs_sampler_sample(dbs_sampler * sampler, struct llama_context * ctx, int32_t row, int32_t * token) {
    if (sampler == nullptr || ctx == nullptr || token == nullptr) {
        return DBS_INVALID_ARGUMENT;
    }
    *token = -1;
    if (sampler->broken) {
        return DBS_BAD_GRAMMAR;
    }
    const auto sample = [&]() -> int32_t {
        const float * logits = logits_of(ctx, row, sampler->n_vocab);
        if (logits == nullptr) {
            return DBS_INVALID_ARGUMENT;
        }
        sampler->begin_step();
        int32_t chosen = sampler->first_choice(logits);
        if (sampler->grammar != nullptr && (chosen < 0 || !sampler->grammar_allows(chosen))) {
            chosen = sampler->allowed_choice(logits);
            if (chosen < 0) {
                chosen = sampler->forbidden_end(logits);
            }
            if (chosen < 0) {
                sampler->broken = true;
                return DBS_BAD_GRAMMAR;
            }
        }
        if (chosen < 0) {
            return DBS_INTERNAL;
        }
        sampler->accept(chosen);
        *token = chosen;
        return DBS_OK;
    };
    if (sampler->grammar == nullptr) {
        return dbs::guarded(DBS_INTERNAL, sample);
    }
    const dbs::Quiet quiet;
    const int32_t    status = dbs::guarded(DBS_BAD_GRAMMAR, sample);
    // A grammar that threw, because nothing fits or too much may, stands nowhere.
    sampler->broken = sampler->broken || status == DBS_BAD_GRAMMAR || status == DBS_NO_MEMORY;
    return status;
}

int32_t dbs_logprobs(struct llama_context * ctx, int32_t row, int32_t token, int32_t n_top, float * token_logprob, int32_t * ids, float * logprobs) {
    if (ctx == nullptr || token_logprob == nullptr || n_top < 0 || (n_top > 0 && (ids == nullptr || logprobs == nullptr))) {
        return DBS_INVALID_ARGUMENT;
    }
    return dbs::guarded(DBS_INTERNAL, [&]() -> int32_t {
        const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(llama_get_model(ctx)));
        if (token < 0 || token >= n_vocab || n_top > n_vocab) {
            return DBS_INVALID_ARGUMENT;
        }
        const float * logits = llama_get_logits_ith(ctx, row);
        if (logits == nullptr) {
            return DBS_INVALID_ARGUMENT;
        }
        // The caller's arrays hold the best so far, sorted; n_top is 20 at most in practice, so insertion is what costs least.
        float   highest = -INFINITY;
        int32_t held    = 0;
        for (int32_t id = 0; id < n_vocab; id++) {
            const float logit = logits[id];
            highest           = logit > highest ? logit : highest;
            if (n_top == 0 || (held == n_top && !(logit > logprobs[n_top - 1]))) {
                continue;
            }
            int32_t at = held < n_top ? held++ : n_top - 1;
            while (at > 0 && logit > logprobs[at - 1]) {
                logprobs[at] = logprobs[at - 1];
                ids[at]      = ids[at - 1];
                at--;
            }
            logprobs[at] = logit;
            ids[at]      = id;
        }
        double sum = 0.0;
        for (int32_t id = 0; id < n_vocab; id++) {
            sum += std::exp(logits[id] - highest);
        }
        const double log_sum = highest + std::log(sum);
        *token_logprob       = static_cast<float>(logits[token] - log_sum);
        for (int32_t i = 0; i < n_top; i++) {
            logprobs[i] = static_cast<float>(logprobs[i] - log_sum);
        }
        return DBS_OK;
    });
}
