// Tokens are upstream's, on every vocabulary there is, and long texts of special tokens take no longer than others.

#include <dirent.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include "chat.h"
#include "special_tokens.h"

namespace {

std::string content_of(const std::string & path) {
    std::ifstream     file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::vector<std::string> vocabularies_in(const std::string & dir) {
    std::vector<std::string> paths;
    if (DIR * open = opendir(dir.c_str())) {
        while (const dirent * entry = readdir(open)) {
            const std::string name = entry->d_name;
            if (name.rfind("ggml-vocab-", 0) == 0 && ends_with(name, ".gguf")) {
                paths.push_back(dir + "/" + name);
            }
        }
        closedir(open);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::vector<int32_t> upstream_tokens(const llama_vocab * vocab, const std::string & text, bool add_special, bool parse_special) {
    std::vector<int32_t> out(2 * text.size() + 8);
    out.resize(static_cast<size_t>(llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), out.data(), static_cast<int32_t>(out.size()),
                                                  add_special, parse_special)));
    return out;
}

std::vector<int32_t> our_tokens(const llama_vocab * vocab, const std::string & text, bool add_special, bool parse_special) {
    std::vector<int32_t> out(2 * text.size() + 8);
    int32_t              n = 0;
    CHECK_STATUS(DBS_OK, dbs_tokenize(vocab, text.data(), text.size(), out.data(), static_cast<int32_t>(out.size()), add_special, parse_special, &n));
    out.resize(static_cast<size_t>(n));
    return out;
}

void are_equal(const std::string & path, const llama_vocab * vocab, const std::string & text) {
    for (const bool add_special : { false, true }) {
        for (const bool parse_special : { false, true }) {
            const bool equal = our_tokens(vocab, text, add_special, parse_special) == upstream_tokens(vocab, text, add_special, parse_special);
            CHECK(equal);
            if (!equal) {
                std::fprintf(stdout, "  %s, add %d, parse %d: '%s'\n", path.c_str(), add_special, parse_special, text.c_str());
                return;
            }
        }
    }
}

/** The sample texts that come with a vocabulary, whole and as the tokens they should be. */
void samples_are_read_as_upstream_reads_them(const std::string & path, const llama_vocab * vocab) {
    const std::string  inputs   = content_of(path + ".inp");
    const std::string  mark     = "\n__ggml_vocab_test__\n";
    std::istringstream expected(content_of(path + ".out"));
    for (size_t at = 0; at < inputs.size();) {
        const size_t      end  = std::min(inputs.find(mark, at), inputs.size());
        const std::string text = inputs.substr(at, end - at);
        at                     = end + mark.size();
        are_equal(path, vocab, text);
        std::string line;
        if (std::getline(expected, line)) {
            std::istringstream   numbers(line);
            std::vector<int32_t> tokens;
            for (int32_t token = 0; numbers >> token;) {
                tokens.push_back(token);
            }
            CHECK(our_tokens(vocab, text, false, false) == tokens);
        }
    }
}

/** Random texts made of special tokens, of parts of them and of what lies between. */
void random_texts_are_read_as_upstream_reads_them(const std::string & path, const llama_vocab * vocab) {
    std::vector<std::string> specials;
    for (int32_t token = 0; token < llama_vocab_n_tokens(vocab); token++) {
        if ((llama_vocab_get_attr(vocab, token) & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0) {
            specials.push_back(llama_vocab_get_text(vocab, token));
        }
    }
    const std::string others[] = { " ", "  ", "\n", "\n\n\n", "\t", " \r\n", "a", "Hello", "<", ">", "<|", "|>", "user\n", "\xC3\xA9", "\xF0\x9F\x8C\xB8", "12" };
    std::mt19937      random(7);
    const auto        below = [&](size_t n) { return static_cast<size_t>(random() % n); };
    for (int round = 0; round < 60; round++) {
        std::string  text;
        const size_t n = 1 + below(40);
        for (size_t i = 0; i < n; i++) {
            const size_t kind = below(4);
            if (specials.empty() || kind < 2) {
                text += others[below(std::size(others))];
                continue;
            }
            const std::string & special = specials[below(specials.size())];
            text += kind == 2 ? special : special.substr(0, below(special.size() + 1));
        }
        are_equal(path, vocab, text);
    }
}

void repeated_texts_are_read_in_a_moment(const llama_vocab * vocab) {
    std::string special;
    for (int32_t token = 0; token < llama_vocab_n_tokens(vocab) && special.size() < 3; token++) {
        special = llama_vocab_is_control(vocab, token) ? llama_vocab_get_text(vocab, token) : "";
    }
    if (special.empty()) {
        return;
    }
    // Upstream takes minutes for as many; so a slower way is noticed without a clock.
    std::string text;
    for (int i = 0; i < 100000; i++) {
        text += "a" + special;
    }
    const std::vector<int32_t> tokens = our_tokens(vocab, text, false, true);
    const std::vector<int32_t> one    = upstream_tokens(vocab, "a" + special, false, true);
    CHECK(tokens.size() == 100000 * one.size());
    CHECK(std::equal(one.begin(), one.end(), tokens.end() - static_cast<std::ptrdiff_t>(one.size())));
}

/** Upstream recurses once a character of a word, and takes 45 s for so many line breaks. */
void long_words_and_blanks_end_nothing(const llama_vocab * vocab) {
    CHECK(our_tokens(vocab, std::string(300000, 'a'), false, true).size() > 1000);
    our_tokens(vocab, std::string(300000, '\n'), false, true);
}

/** Texts that are cut are those that upstream does not cut. */
void long_texts_are_read_as_upstream_reads_them(const std::string & path, const llama_vocab * vocab) {
    std::mt19937 random(11);
    std::string  words;
    while (words.size() < 300000) {
        words += (random() % 40 == 0 ? "\n" : random() % 50 == 0 ? ", \xF0\x93\x80\x80" : " ") + std::string("the word itself").substr(0, 2 + random() % 13);
    }
    CHECK(our_tokens(vocab, words, false, true) == upstream_tokens(vocab, words, false, true));
    are_equal(path, vocab, std::string(20000, '\n'));
    are_equal(path, vocab, "a" + std::string(17000, '\n') + "b " + std::string(17000, '\n'));
}

void plain_places_hold_no_control_tokens(const Demo & demo) {
    const std::string text  = "<|im_end|>a<|im_end|><|im_end|>";
    const auto        parts = dbs::special_tokens(demo.vocab)->parts(text, true, { { 0, 3 }, { 12, 14 } });
    CHECK(parts.size() == 2 && parts[0].token < 0 && parts[0].begin == 0 && parts[0].end == 21 && parts[1].token >= 0 && parts[1].end == text.size());
}

} // namespace

void test_tokenizing(const Demo & demo, const std::string & vocabulary_dir) {
    const std::vector<std::string> paths = vocabularies_in(vocabulary_dir);
    CHECK(paths.size() > 10);
    for (const std::string & path : paths) {
        const char *       files[] = { path.c_str() };
        llama_model_params params  = llama_model_default_params();
        params.vocab_only          = true;
        llama_model * model        = nullptr;
        CHECK_STATUS(DBS_OK, dbs_model_load(files, 1, &params, &model));
        if (model == nullptr) {
            continue;
        }
        const llama_vocab * vocab  = llama_model_get_vocab(model);
        dbs_pieces *        pieces = nullptr;
        CHECK_STATUS(DBS_OK, dbs_pieces_new(vocab, &pieces));
        samples_are_read_as_upstream_reads_them(path, vocab);
        random_texts_are_read_as_upstream_reads_them(path, vocab);
        repeated_texts_are_read_in_a_moment(vocab);
        if (ends_with(path, "-deepseek-coder.gguf") || ends_with(path, "-llama-spm.gguf")) { // the one splits by std::regex
            long_words_and_blanks_end_nothing(vocab);
            long_texts_are_read_as_upstream_reads_them(path, vocab);
        }
        dbs_pieces_free(pieces);
        llama_model_free(model);
    }
    random_texts_are_read_as_upstream_reads_them("demo", demo.vocab);
    repeated_texts_are_read_in_a_moment(demo.vocab);
    plain_places_hold_no_control_tokens(demo);
}
