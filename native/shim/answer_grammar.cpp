#include "answer_grammar.h"

#include <algorithm>
#include <new>

#include "grammar_text.h"
#include "token_trie.h"

namespace dbs {

namespace {

constexpr const char * said  = "dbs-probe-of-content";
constexpr const char * section_of_calls = "<|tool_calls_section_begin|>"; // upstream waits for what comes behind it

constexpr const char * space = "[ \\n]{0,3}";

common_chat_params rendered(const common_chat_templates & templates, const std::vector<common_chat_msg> & messages, bool asks) {
    common_chat_templates_inputs in;
    in.messages              = messages;
    in.add_generation_prompt = asks;
    in.enable_thinking       = false;
    return common_chat_templates_apply(&templates, in);
}

common_chat_msg message(const char * role, const char * text) {
    common_chat_msg out;
    out.role    = role;
    out.content = text;
    return out;
}

/** Where two texts part, or where the mark begins within which they do. */
size_t parting(const std::string & a, const std::string & b) {
    const size_t most = std::min(a.size(), b.size());
    const size_t at   = static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first - a.begin());
    if (at == b.size() || at == 0) {
        return at;
    }
    const size_t mark = a.rfind('<', at - 1);
    return mark != std::string::npos && a.find('>', mark) >= at ? mark : at;
}

/** Takes away what the text begins with where that is the end of another one. */
void drop_overlap(std::string & text, const std::string & before) {
    for (size_t size = std::min(text.size(), before.size()); size > 0; size--) {
        if (before.compare(before.size() - size, size, text, 0, size) == 0) {
            text.erase(0, size);
            return;
        }
    }
}

/** Marks that may follow each other, of which any number from the first on do. */
std::string optional_marks(const std::string & text) {
    std::string out;
    for (size_t end = text.size(); end > 0;) {
        const size_t before = end > 1 ? text.rfind('>', end - 2) : std::string::npos;
        const size_t begin  = before == std::string::npos ? 0 : before + 1;
        out                 = " (" + gbnf_literal(text.substr(begin, end - begin)) + out + ")?";
        end                 = begin;
    }
    return out;
}

/** The longest end of `text` that one of the words begins with. */
std::vector<uint32_t> kept_of(std::vector<uint32_t> text, const std::vector<std::vector<uint32_t>> & words) {
    const auto begins_one = [&](const std::vector<uint32_t> & word) {
        return word.size() >= text.size() && std::equal(text.begin(), text.end(), word.begin());
    };
    while (!text.empty() && std::none_of(words.begin(), words.end(), begins_one)) {
        text.erase(text.begin());
    }
    return text;
}

/** The rule of text that ends with `end`, which comes once, and with none of the words within it. A state for each beginning of a word. */
std::string until(const std::string & end, const std::vector<std::string> & others, GbnfText & rules) {
    std::vector<std::vector<uint32_t>> words;
    for (const std::string & word : others) {
        if (word.empty()) {
            continue;
        }
        words.emplace_back();
        decode_piece(word.data(), word.size(), {}, words.back());
    }
    words.insert(words.begin(), std::vector<uint32_t>());
    decode_piece(end.data(), end.size(), {}, words.front());

    std::vector<std::vector<uint32_t>> states = { {} };
    std::vector<std::string>           names  = { rules.reserve() };
    const auto                         is     = [](const std::vector<uint32_t> & text, const std::vector<uint32_t> & word) {
        return text.size() >= word.size() && std::equal(word.rbegin(), word.rend(), text.rbegin());
    };
    for (size_t i = 0; i < states.size(); i++) {
        std::string              other = "[^";
        std::vector<std::string> ways;
        std::vector<uint32_t>    seen;
        for (const std::vector<uint32_t> & word : words) {
            for (const uint32_t next : word) {
                std::vector<uint32_t> text = states[i];
                text.push_back(next);
                const bool is_forbidden = std::any_of(words.begin() + 1, words.end(), [&](const auto & one) { return is(text, one); });
                if (std::find(seen.begin(), seen.end(), next) != seen.end()) {
                    continue;
                }
                seen.push_back(next);
                other += gbnf_class_char(next);
                const std::string character = "[" + gbnf_class_char(next) + "] ";
                if (is(text, words.front())) {
                    ways.push_back("[" + gbnf_class_char(next) + "]");
                    continue;
                }
                if (is_forbidden) {
                    continue;
                }
                text            = kept_of(std::move(text), words);
                const auto name = std::find(states.begin(), states.end(), text);
                if (name == states.end()) {
                    states.push_back(text);
                    names.push_back(rules.reserve());
                    ways.push_back(character + names.back());
                } else {
                    ways.push_back(character + names[static_cast<size_t>(name - states.begin())]);
                }
            }
        }
        ways.push_back(other + "] " + names.front());
        rules.define(names[i], gbnf_choice(ways));
    }
    return names.front();
}

bool calls_are_in_a_section(const common_chat_params & format) {
    const std::vector<std::string> & marks = format.preserved_tokens;
    return std::find(marks.begin(), marks.end(), section_of_calls) != marks.end();
}

/** What an answer may begin with, or must where a thought is open. */
std::string thought_of(const common_chat_params & format, Thought thought, GbnfText & rules) {
    if (thought == Thought::none || format.thinking_end_tags.empty() || format.thinking_start_tag.empty()) {
        return "";
    }
    // Some tags end a thought because they begin a call: it is to be closed first.
    std::vector<std::string> others(format.thinking_end_tags.begin() + 1, format.thinking_end_tags.end());
    for (const common_grammar_trigger & trigger : format.grammar_triggers) {
        if (trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD) {
            others.push_back(trigger.value);
        }
    }
    if (calls_are_in_a_section(format)) {
        others.push_back(section_of_calls);
    }
    std::string rest = until(format.thinking_end_tags.front(), others, rules);
    if (format.thinking_start_tag.find("<|message|>") != std::string::npos) {
        rest += " \"<|start|>assistant\""; // such a thought is a message of its own, so that another begins behind it
    }
    return thought == Thought::is_open ? rest + " " + space + " " : "(" + gbnf_literal(format.thinking_start_tag) + " " + rest + " " + space + ")? ";
}

} // namespace

ContentMarks content_marks(const common_chat_templates & templates, const common_chat_params & format) {
    try {
        const common_chat_msg    greeting = message("user", "Hello");
        const common_chat_params asks     = rendered(templates, { greeting }, true);
        const std::string        whole    = rendered(templates, { greeting, message("assistant", said) }, false).prompt;
        const size_t             at       = whole.rfind(said);
        if (at == std::string::npos) {
            return {};
        }
        const std::string head = whole.substr(0, at);
        std::string       open = head.substr(std::min(head.size(), parting(head, asks.prompt)));
        std::string       no_thought;
        if (!format.thinking_end_tags.empty()) {
            const std::string & tag = format.thinking_end_tags.front();
            const size_t        end = open.rfind(tag);
            if (end != std::string::npos) {
                const bool is_in_prompt = asks.generation_prompt.find(tag) != std::string::npos;
                no_thought              = is_in_prompt ? "" : open.substr(0, end + tag.size());
                open.erase(0, end + tag.size());
            }
        }
        drop_overlap(open, asks.generation_prompt);
        if (open.find_first_not_of(" \n") == std::string::npos) {
            return { no_thought, "", "" };
        }
        return { no_thought, open, whole.substr(at + std::string(said).size()) };
    } catch (const std::bad_alloc &) {
        throw;
    } catch (...) {
        return {};
    }
}

std::string answer_grammar(const common_chat_params & format, const AnswerParts & parts) {
    GbnfText                 rules("dbs-answer-");
    std::vector<std::string> ways;
    if (!parts.schema.empty()) {
        const std::string open = parts.content.open.empty() || parts.continues ? "" : gbnf_literal(parts.content.open) + " ";
        ways.push_back(open + parts.schema + " " + space + optional_marks(parts.content.close));
    }
    std::string calls = parts.calls;
    if (!calls.empty()) {
        // Its rules stay what they are, but for the name of the first.
        const std::string root = "root ::=";
        const size_t      at   = calls.compare(0, root.size(), root) == 0 ? 0 : calls.find("\n" + root) + 1;
        calls.replace(at, root.size(), "dbs-answer-call ::=");
        ways.push_back(calls_are_in_a_section(format) ? "(" + gbnf_literal(section_of_calls) + ")? dbs-answer-call" : "dbs-answer-call");
    }
    std::string thought = thought_of(format, parts.thought, rules);
    if (parts.thought != Thought::is_open && !parts.continues && !parts.content.no_thought.empty()) {
        thought = "(" + gbnf_literal(parts.content.no_thought) + " | " + (thought.empty() ? "\"\"" : thought) + ") ";
    }
    return std::string("root ::= ") + space + " " + thought + gbnf_choice(ways) + "\n" + rules.text() + calls + "\n";
}

} // namespace dbs
