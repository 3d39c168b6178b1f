// Grammars against upstream's own matcher: the same tokens must be allowed at every step of random walks.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>

#include "llama-grammar.h"

#include "check.h"
#include "constraint.h"
#include "gbnf_check.h"
#include "vocab.h"

namespace {

using Random = std::mt19937;

struct GrammarFree {
    void operator()(llama_grammar * grammar) const { llama_grammar_free_impl(grammar); }
};

using Upstream = std::unique_ptr<llama_grammar, GrammarFree>;

size_t below(Random & random, size_t n) {
    return random() % n; // std's distributions differ from library to library
}

bool holds(const std::vector<uint64_t> & bits, int32_t token) {
    return (bits[static_cast<size_t>(token) / 64] >> (token % 64) & 1) != 0;
}

/** While one lives, nothing arrives at C's `stderr`, where upstream prints the grammars that it refuses. */
class Unprinted {
  public:
    Unprinted() : printed_(stderr) { stderr = std::fopen("/dev/null", "w"); }
    ~Unprinted() {
        std::fclose(stderr);
        stderr = printed_;
    }
    Unprinted(const Unprinted &) = delete;
    Unprinted & operator=(const Unprinted &) = delete;

  private:
    FILE * const printed_;
};

/** What a grammar is tried on. */
struct Words {
    const llama_vocab * vocab;
    int32_t             n_tokens;

    explicit Words(const llama_vocab * of) : vocab(of), n_tokens(llama_vocab_n_tokens(of)) {}

    std::vector<bool> upstream_allows(const llama_grammar & grammar) const {
        std::vector<llama_token_data> data(static_cast<size_t>(n_tokens));
        for (int32_t token = 0; token < n_tokens; token++) {
            data[static_cast<size_t>(token)] = { token, 0.0f, 0.0f };
        }
        llama_token_data_array array = { data.data(), data.size(), -1, false };
        llama_grammar_apply_impl(grammar, &array);
        std::vector<bool> allowed(data.size());
        for (size_t token = 0; token < data.size(); token++) {
            allowed[token] = data[token].logit == 0.0f;
        }
        return allowed;
    }

    std::vector<uint64_t> ours_allows(dbs::Constraint & constraint) const {
        std::vector<uint64_t> bits((static_cast<size_t>(n_tokens) + 63) / 64, ~uint64_t{ 0 });
        constraint.restrict(bits);
        return bits;
    }
};

/** Whether upstream, having allowed this token, would throw on it: a token of the grammar that would begin within another. */
bool upstream_throws_on(const llama_grammar & grammar, int32_t token) {
    const Upstream copy(llama_grammar_clone_impl(grammar));
    try {
        llama_grammar_accept_impl(*copy, token);
        return false;
    } catch (const std::exception &) {
        return true;
    }
}

/** Whether a text is UTF-8 as far as it goes; it may end within a character. */
bool begins_utf8(const std::string & text) {
    for (size_t i = 0; i < text.size();) {
        const auto lead = static_cast<uint8_t>(text[i]);
        // The bounds of the second byte rule out overlong forms, halves of pairs and what lies beyond the last character.
        const size_t  length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
        const uint8_t low    = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
        const uint8_t high   = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
        if (length == 0) {
            return false;
        }
        for (size_t k = 1; k < length && i + k < text.size(); k++) {
            const auto byte = static_cast<uint8_t>(text[i + k]);
            if (byte < (k == 1 ? low : 0x80) || byte > (k == 1 ? high : 0xBF)) {
                return false;
            }
        }
        i += length;
    }
    return true;
}

struct Tally {
    int walks = 0;
    int steps = 0;
    int ends  = 0; // steps at which the text could have ended
};

/** Walks at random until the text ends, nothing is allowed, or there are too many stacks for upstream to finish in time. */
void walk(const Words & words, llama_grammar & upstream, dbs::Constraint & ours, Random & random, int max_steps, Tally & tally, const std::string & name) {
    tally.walks++;
    std::string so_far;
    for (int step = 0; step < max_steps; step++) {
        if (llama_grammar_get_stacks(&upstream).size() > 40) {
            return;
        }
        tally.steps++;
        ours.begin_step();
        const std::vector<bool>     theirs  = words.upstream_allows(upstream);
        const std::vector<uint64_t> allowed = words.ours_allows(ours);
        std::vector<int32_t>        choices;
        int                         cleared = 0;
        for (int32_t token = 0; token < words.n_tokens; token++) {
            const bool we   = holds(allowed, token);
            const bool they = theirs[static_cast<size_t>(token)];
            if (they && !we && !begins_utf8(so_far + dbs::piece_of(words.vocab, token))) {
                continue; // upstream lets through what is no UTF-8
            }
            CHECK(!we || llama_vocab_is_control(words.vocab, token) || begins_utf8(so_far + dbs::piece_of(words.vocab, token)));
            if (we != they && !(they && (cleared > 4 || (cleared++, upstream_throws_on(upstream, token))))) {
                CHECK(we == they);
                std::printf("    %s, step %d, token %d '%s': upstream %d, we %d\n", name.c_str(), step, token,
                            dbs::piece_of(words.vocab, token).c_str(), they, we);
                return;
            }
            if (we) {
                choices.push_back(token);
            }
        }
        CHECK(true);
        // One token at a time must give the same answer as all at once.
        for (int i = 0; i < 40; i++) {
            const int32_t token = static_cast<int32_t>(below(random, static_cast<size_t>(words.n_tokens)));
            CHECK(ours.allows(token) == holds(allowed, token));
        }
        if (choices.empty()) {
            return;
        }
        const int32_t token = choices[below(random, choices.size())];
        CHECK(ours.allows(token));
        const bool ends = llama_vocab_is_eog(words.vocab, token);
        tally.ends += std::any_of(choices.begin(), choices.end(), [&](int32_t choice) { return llama_vocab_is_eog(words.vocab, choice); });
        llama_grammar_accept_impl(upstream, token);
        ours.accept(token);
        so_far += dbs::piece_of(words.vocab, token);
        if (ends && random() % 4 != 0) {
            return;
        }
    }
}

Upstream upstream_of(const Words & words, const std::string & gbnf) {
    return Upstream(llama_grammar_init_impl(words.vocab, gbnf.c_str(), "root", false, nullptr, 0, nullptr, 0));
}

void compare(const Words & words, const std::string & gbnf, Random & random, int walks, int max_steps, Tally & tally, const std::string & name) {
    for (int i = 0; i < walks; i++) {
        const std::unique_ptr<dbs::Constraint> ours = dbs::Constraint::compile(words.vocab, gbnf);
        CHECK(ours != nullptr);
        if (ours == nullptr) {
            std::printf("    %s is refused\n", name.c_str());
            return;
        }
        const Upstream upstream = upstream_of(words, gbnf);
        CHECK(upstream != nullptr);
        if (upstream == nullptr) {
            std::printf("    upstream refuses %s:\n%s\n", name.c_str(), gbnf.c_str());
            return;
        }
        walk(words, *upstream, *ours, random, max_steps, tally, name);
    }
}

std::string contents(const std::string & path) {
    std::ifstream     file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

const char * const reference_grammars[] = { "arithmetic", "c", "chess", "english", "japanese", "json", "json_arr", "list" };

const char * const schemas[] = {
    R"({"type":"object","properties":{"city":{"type":"string"},"big":{"type":"boolean"}},"required":["city","big"],"additionalProperties":false})",
    R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"number"},"c":{"type":"string","maxLength":300},"d":{"enum":["x","yé",null,3]}},"required":["b"]})",
    R"({"type":"array","items":{"type":"string","minLength":2,"maxLength":5},"minItems":1,"maxItems":200})",
    R"({"anyOf":[{"type":"integer","minimum":-12,"maximum":3456},{"type":"string","pattern":"^(a|bc)+[0-9]{2,4}$"},{"type":"string","format":"date-time"}]})",
    R"({"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"v":{"type":"integer"},"l":{"$ref":"#/$defs/tree"},"r":{"$ref":"#/$defs/tree"}},"required":["v"]}}})",
};

// What random grammars seldom hit.
const char * const odd_grammars[] = {
    "root ::= \"\"",
    "root ::= \"a\"?",
    "root ::= (\"a\"?)* \"b\"",
    "root ::= ((\"a\" | \"b\"?)* \"c\"?){3}",
    "root ::= [^a-z]+ | \"\\u65e5\\u672c\" .*",
    "root ::= [\\u00e0-\\u00ff\\u4e00-\\u9fff]+",
    "root ::= [^\\u0080-\\U0010ffff]* \"\\U0001F600\"",
    "root ::= .{2,4} [\\n]",
    "root ::= [b-a] | \"x\"",
    "root ::= x | y\nx ::= \"ab\" x | \"ab\"\ny ::= \"a\" \"b\" y \"c\" | \"ab\"",
    "root ::= x{0,3} y\nx ::= \"a\" | \"a\" \"a\"\ny ::= x* z?\nz ::= [a-c] y | ",
    "root ::= <[300]> \"a\"",
    "root ::= !<[300]>+ <[301]>",
    "root ::= \"a\" <[300]> | \"a\" !<[302]> \"b\"* | [a-z]* <[300]>",
    "root ::= (!<[300]> | [a-e]+ | .)*",
    "root ::= e\ne ::= t (\"+\" t)*\nt ::= f | f \"*\" t\nf ::= \"(\" e \")\" | [0-9]+",
};

/** A grammar of a few rules over few characters, so that rules meet and texts can be read in several ways. */
std::string random_grammar(Random & random, int32_t n_tokens) {
    const int n_rules = 1 + static_cast<int>(below(random, 5));
    const std::string terminals[] = { "\"a\"", "\"ab\"", "\"b\"", "\"\"", "\" \"", "\"\\u00e9\"", "\"\\u65e5a\"", "[a-c]", "[^a]",
                                      "[^a-y\\u0080-\\uffff]", "[b\\u00e0-\\u00ff]", ".", "\"the\"", "[a-z]" };
    std::string       gbnf;
    for (int rule = 0; rule < n_rules; rule++) {
        gbnf += rule == 0 ? "root ::= " : "r" + std::to_string(rule) + " ::= ";
        const size_t n_alternates = 1 + below(random, 3);
        for (size_t alternate = 0; alternate < n_alternates; alternate++) {
            gbnf += alternate > 0 ? " | " : "";
            const size_t n_items = below(random, 4) + (rule == 0 ? 1 : 0);
            for (size_t i = 0; i < n_items; i++) {
                std::string item;
                const size_t kind = below(random, 10);
                if (kind < 5) {
                    item = terminals[below(random, sizeof(terminals) / sizeof(terminals[0]))];
                } else if (kind < 8 && n_rules > 1) {
                    const size_t other = below(random, static_cast<size_t>(n_rules));
                    item               = other == 0 ? "root" : "r" + std::to_string(other);
                } else if (kind == 8) {
                    item = (random() % 2 != 0 ? "<[" : "!<[") + std::to_string(below(random, static_cast<size_t>(n_tokens))) + "]>";
                } else {
                    item = "(" + terminals[below(random, 3)] + " | " + terminals[below(random, 12)] + " " + terminals[below(random, 12)] + ")";
                }
                const char * const repeats[] = { "", "", "", "", "?", "*", "+", "{2}", "{0,3}", "{1,}" };
                // An empty literal has nothing to repeat.
                gbnf += item + (item == "\"\"" ? "" : repeats[below(random, 10)]) + " ";
            }
        }
        gbnf += "\n";
    }
    return gbnf;
}

void random_grammars_agree(const Words & words, Random & random, int n, Tally & tally) {
    const Unprinted unprinted;
    int             accepted = 0;
    for (int i = 0; i < n; i++) {
        const std::string gbnf = random_grammar(random, words.n_tokens);
        // Refused ones are looked at elsewhere: upstream would build stacks for ever on some of them.
        if (dbs::Constraint::compile(words.vocab, gbnf) != nullptr) {
            accepted++;
            compare(words, gbnf, random, 2, 8, tally, "random " + std::to_string(i) + "\n" + gbnf);
        }
    }
    CHECK(accepted > n / 4);
}

void lazy_grammars_agree(const Words & words, Random & random, Tally & tally) {
    const std::string gbnf = "root ::= \"call\" [ a-z]+ \"(\" [a-z]* \")\" | <[301]> [0-9]+";
    for (int i = 0; i < 40; i++) {
        const std::vector<llama_token>  tokens   = { 301 };
        const std::vector<dbs::Trigger> triggers = { { true, "call" }, { false, "(?:\\d)(\\s*call\\s)" }, { false, "^x.*(call)$" } };
        const char *                    patterns[] = { "call", "(?:\\d)(\\s*call\\s)", "^x.*(call)$" };
        const Upstream upstream(llama_grammar_init_impl(words.vocab, gbnf.c_str(), "root", true, patterns, 3, tokens.data(), tokens.size()));
        const auto     ours = dbs::Constraint::compile_lazy(words.vocab, gbnf, tokens, triggers);
        // Talk first, then a trigger, in pieces as tokens happen to cut them.
        const char * const talks[] = { "well then ", "x 7 ", "call", "ca", "ll", " call", "7 call ", "the call of" };
        bool               thrown[] = { false, false };
        for (int step = 0; step < 12; step++) {
            std::vector<int32_t> pieces = dbs::tokens_of(words.vocab, talks[below(random, 8)]);
            if (step == 6 && i % 3 == 0) {
                pieces = { 301 };
            }
            for (const int32_t piece : pieces) {
                const std::vector<bool>     theirs  = words.upstream_allows(*upstream);
                const std::vector<uint64_t> allowed = words.ours_allows(*ours);
                bool                        same    = true;
                for (int32_t token = 0; token < words.n_tokens; token++) {
                    same = same && theirs[static_cast<size_t>(token)] == holds(allowed, token);
                }
                CHECK(same);
                tally.steps++;
                try {
                    llama_grammar_accept_impl(*upstream, piece);
                } catch (const std::exception &) {
                    thrown[0] = true;
                }
                try {
                    ours->begin_step();
                    ours->accept(piece);
                } catch (const std::exception &) {
                    thrown[1] = true;
                }
                CHECK(thrown[0] == thrown[1]);
                if (thrown[0]) {
                    break;
                }
            }
            if (thrown[0] || thrown[1]) {
                break;
            }
        }
        tally.walks++;
    }
}

void refused_grammars(const Words & words) {
    const Unprinted unprinted;
    for (const char * gbnf : { "root ::= root \"a\" | \"b\"", "root ::= x\nx ::= \"a\"? y\ny ::= x \"b\" | \"c\"", "root ::= \"a\"\nx ::= x",
                               "root ::= y", "a ::= \"b\"", "root ::= \"a" }) {
        CHECK(dbs::Constraint::compile(words.vocab, gbnf) == nullptr);
        CHECK(upstream_of(words, gbnf) == nullptr);
    }
    // Upstream accepts these, and builds stacks until memory is gone.
    for (const char * gbnf : { "root ::= b root \"x\" | \"y\"\nb ::= c\nc ::= \"a\"?", "root ::= (\"a\"?)+ root (\"c\"?)+ | \"y\"" }) {
        CHECK(dbs::Constraint::compile(words.vocab, gbnf) == nullptr);
    }
}

/** Grammars whose stacks, or whose ways to read a text, are very many. */
void dear_grammars_take_bounded_work(const Words & words) {
    std::string doubling = "root ::= r0\n";
    for (int i = 0; i < 60; i++) {
        doubling += "r" + std::to_string(i) + " ::= r" + std::to_string(i + 1) + " \"a\" | r" + std::to_string(i + 1) + " \"b\"\n";
    }
    doubling += "r60 ::= \"c\"";
    for (const std::string & gbnf : { std::string("root ::= (\"a\"?){500}"), std::string("root ::= ((\"a\"?){60} \"b\"?){60}"), std::string("root ::= \"a\"{0,1999}"),
                                      std::string("root ::= e\ne ::= \"a\" | \"a\" e | \"a\" e e"), doubling }) {
        const auto constraint = dbs::Constraint::compile(words.vocab, gbnf);
        CHECK(constraint != nullptr);
        const std::vector<int32_t> tokens = dbs::tokens_of(words.vocab, gbnf == doubling ? "cabbabab" : "aaaaaaaaaaaa");
        for (const int32_t token : tokens) {
            constraint->begin_step();
            CHECK(holds(words.ours_allows(*constraint), token));
            constraint->accept(token);
        }
    }
}

/** So deep that what was found out about the way there is forgotten several times. */
void deep_texts_find_their_way_back(const Words & words) {
    const auto    constraint = dbs::Constraint::compile(words.vocab, "root ::= \"(\" root \")\" | \"[\" root \"]\" | \"a\"");
    const int32_t open[]     = { dbs::tokens_of(words.vocab, "(").back(), dbs::tokens_of(words.vocab, "[").back() };
    const int32_t close[]    = { dbs::tokens_of(words.vocab, ")").back(), dbs::tokens_of(words.vocab, "]").back() };
    constexpr int depth      = 300000;
    for (int i = 0; i < depth; i++) {
        constraint->begin_step();
        constraint->accept(open[i % 3 == 0]);
    }
    constraint->accept(dbs::tokens_of(words.vocab, "a").back());
    bool right = true;
    for (int i = depth - 1; i >= 0; i--) {
        constraint->begin_step();
        right = right && constraint->allows(close[i % 3 == 0]) && !constraint->allows(close[i % 3 != 0]);
        constraint->accept(close[i % 3 == 0]);
    }
    CHECK(right);
    const std::vector<uint64_t> allowed = words.ours_allows(*constraint);
    for (int32_t token = 0; token < words.n_tokens; token++) {
        CHECK(holds(allowed, token) == llama_vocab_is_eog(words.vocab, token));
    }
}

/** A grammar that wants more than its share is refused at some step, and says so by throwing. */
void work_has_an_end(const Words & words) {
    // Every step reads the text so far in more ways than the last.
    const auto constraint = dbs::Constraint::compile(words.vocab,
                                                     "root ::= e\ne ::= \"a\" | e2 e2 | e2 e2 e2\ne2 ::= \"a\" e | \"a\" e \"a\" | \"a\" e e \"a\" e \"b\"");
    const std::vector<int32_t> a      = dbs::tokens_of(words.vocab, "a");
    bool                       thrown = false;
    int                        steps  = 0;
    while (!thrown && steps < 100000) {
        try {
            constraint->begin_step();
            for (int i = 0; i < 400; i++) {
                constraint->accept(a.back());
                steps++;
            }
        } catch (const dbs::GrammarTooDear &) {
            thrown = true;
        }
    }
    CHECK(thrown);
}

/** A vocabulary of another kind: of SentencePiece, whose bytes are tokens; of byte pairs, whose tokens cut code points anywhere. */
void another_vocabulary_agrees(const std::string & path, Random & random, Tally & tally) {
    llama_model_params params = llama_model_default_params();
    params.vocab_only         = true;
    const char *  paths[]     = { path.c_str() };
    llama_model * model       = nullptr;
    CHECK_STATUS(DBS_OK, dbs_model_load(paths, 1, &params, &model));
    if (model == nullptr) {
        return;
    }
    const Words words(llama_model_get_vocab(model));
    for (const char * gbnf : { "root ::= [^a-z]+ | \"\\u65e5\\u672c\" .*", "root ::= [\\u00e0-\\u00ff\\u4e00-\\u9fff]+",
                               "root ::= [^\\u0080-\\U0010ffff]* \"\\U0001F600\"" }) {
        compare(words, gbnf, random, 3, 10, tally, path + ": " + gbnf);
    }
    llama_model_free(model);
}

/** A thought holds neither a call's opening, in whatever tokens that comes, nor the end; its closing tag frees both. */
void a_thought_is_guarded(const Words & words) {
    const int32_t end  = llama_vocab_eos(words.vocab);
    const auto    feed = [&](dbs::ThoughtGuard & guard, const std::string & text) {
        for (const int32_t token : dbs::tokens_of(words.vocab, text, false)) {
            if (!guard.allows(token)) {
                return false;
            }
            guard.accept(token);
        }
        return true;
    };
    const std::vector<std::string> openings = { "<tool_call>", "[", "</think><call>" };
    dbs::ThoughtGuard              guard(words.vocab, openings, { "</think>" });
    CHECK(!guard.allows(end));
    for (const int32_t token : dbs::tokens_of(words.vocab, "<tool_call>")) {
        CHECK(guard.allows(token) == (dbs::piece_of(words.vocab, token).find("<tool_call>") == std::string::npos));
    }
    CHECK(feed(guard, "I could write <tool_call or [a] tool_call>"));
    CHECK(!feed(guard, " and so <tool_call>{"));
    guard.reset();
    CHECK(feed(guard, "so.\n</thi") && !guard.allows(end));
    CHECK(feed(guard, "nk>\n\n<tool_call>") && guard.allows(end));
    guard.reset();
    CHECK(!guard.allows(end) && !feed(guard, "<tool_call>"));
    dbs::ThoughtGuard closing(words.vocab, { "<tool_call>" }, { "</think>", "<tool_call>" }); // a call closes such a thought
    CHECK(!closing.allows(end) && feed(closing, "so <tool_call>") && closing.allows(end));
}

} // namespace

void test_constraints(const Demo & demo, const std::string & reference) {
    Random random(7);
    Tally  tally;
    Words  words(demo.vocab);
    CHECK(words.n_tokens > 302);
    for (const char * name : reference_grammars) {
        compare(words, contents(reference + "/grammars/" + name + ".gbnf"), random, 6, 30, tally, name);
    }
    for (const char * schema : schemas) {
        dbs_text * gbnf = nullptr;
        CHECK_STATUS(DBS_OK, dbs_schema_to_grammar(schema, std::string(schema).size(), &gbnf));
        dbs_slice text = {};
        dbs_text_get(gbnf, &text);
        compare(words, ::text(text), random, 6, 40, tally, schema);
        dbs_text_free(gbnf);
    }
    for (const char * gbnf : odd_grammars) {
        compare(words, gbnf, random, 8, 12, tally, gbnf);
    }
    random_grammars_agree(words, random, 400, tally);
    lazy_grammars_agree(words, random, tally);
    for (const char * name : { "llama-spm", "gpt-2" }) {
        another_vocabulary_agrees(reference + "/models/ggml-vocab-" + name + ".gguf", random, tally);
    }
    refused_grammars(words);
    dear_grammars_take_bounded_work(words);
    deep_texts_find_their_way_back(words);
    work_has_an_end(words);
    a_thought_is_guarded(words);
    CHECK(tally.ends > 100);
    CHECK(tally.steps > 1000);
}
