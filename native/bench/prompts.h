// Prompts from a file, as tokens.
#pragma once

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "arguments.h"
#include "llama.h"

using Prompt = std::vector<llama_token>;

/** Reads \n and \\ as escapes. */
inline std::string unescaped(const std::string & line) {
    std::string out;
    for (size_t i = 0; i < line.size(); i++) {
        if (line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == 'n' || line[i + 1] == '\\')) {
            out += line[++i] == 'n' ? '\n' : '\\';
        } else {
            out += line[i];
        }
    }
    return out;
}

inline Prompt tokens_of(const llama_vocab * vocab, const std::string & text) {
    Prompt        tokens(text.size() + 8);
    const int32_t n = llama_tokenize(vocab, text.data(), static_cast<int32_t>(text.size()), tokens.data(), static_cast<int32_t>(tokens.size()), true, true);
    if (n < 0) {
        fail("a prompt of " + std::to_string(text.size()) + " bytes does not tokenize");
    }
    tokens.resize(static_cast<size_t>(n));
    return tokens;
}

/** Reads one prompt a line, as text or as token ids; each fits a stream of ctx tokens together with predict more. */
inline std::vector<Prompt> read_prompts(const std::string & path, bool is_text, const llama_vocab * vocab, int predict, int ctx) {
    std::ifstream file(path);
    if (!file) {
        fail("cannot read " + path);
    }
    std::vector<Prompt> prompts;
    std::string         line;
    while (std::getline(file, line)) {
        Prompt tokens;
        if (is_text) {
            tokens = tokens_of(vocab, unescaped(line));
        } else {
            std::istringstream words(line);
            for (llama_token token = 0; words >> token;) {
                if (token < 0 || token >= llama_vocab_n_tokens(vocab)) {
                    fail("prompt " + std::to_string(prompts.size()) + " holds a token that the model does not have");
                }
                tokens.push_back(token);
            }
        }
        if (tokens.empty()) {
            continue;
        }
        if (static_cast<int>(tokens.size()) + predict > ctx) {
            fail("prompt " + std::to_string(prompts.size()) + " of " + std::to_string(tokens.size()) + " tokens and " + std::to_string(predict) +
                 " more do not fit --ctx " + std::to_string(ctx));
        }
        prompts.push_back(std::move(tokens));
    }
    if (prompts.empty()) {
        fail(path + " holds no prompt");
    }
    return prompts;
}

/** Returns so many prompts, from the beginning again where they end. */
inline std::vector<Prompt> repeated(const std::vector<Prompt> & prompts, size_t wanted) {
    std::vector<Prompt> out;
    out.reserve(wanted);
    for (size_t i = 0; i < wanted; i++) {
        out.push_back(prompts[i % prompts.size()]);
    }
    return out;
}
