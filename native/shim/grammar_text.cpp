#include "grammar_text.h"

#include <algorithm>
#include <cstdio>

namespace dbs {

namespace {

// What a schema of one megabyte may grow to; real ones stay far below.
constexpr size_t max_text = size_t{ 8 } << 20;

// Fewer are read as fast side by side, and shown as they are.
constexpr size_t few_texts = 32;

/** Writes texts[from, to), which are sorted, different and share their first `depth` bytes, as what follows those. Recurses once a shared beginning. */
std::string texts_behind(const std::vector<std::string> & texts, size_t from, size_t to, size_t depth, GbnfText & rules) {
    const std::string & first = texts[from];
    const std::string & last  = texts[to - 1];
    if (to - from == 1) {
        return gbnf_literal(first.substr(depth));
    }
    size_t shared = depth;
    while (shared < first.size() && shared < last.size() && first[shared] == last[shared]) {
        shared++;
    }
    while (shared > depth && shared < last.size() && (last[shared] & 0xC0) == 0x80) {
        shared--; // a grammar reads whole characters
    }
    std::vector<std::string> choices;
    size_t                   i = from;
    if (first.size() == shared) {
        choices.push_back("\"\"");
        i++;
    }
    while (i < to) {
        size_t end = shared + 1;
        while (end < texts[i].size() && (texts[i][end] & 0xC0) == 0x80) {
            end++;
        }
        size_t next = i;
        while (next < to && texts[next].compare(shared, end - shared, texts[i], shared, end - shared) == 0) {
            next++;
        }
        choices.push_back(next - i == 1 ? gbnf_literal(texts[i].substr(shared)) : rules.add(texts_behind(texts, i, next, shared, rules)));
        i = next;
    }
    const std::string beginning = shared > depth ? gbnf_literal(first.substr(depth, shared - depth)) + " " : "";
    return beginning + gbnf_choice(choices);
}

} // namespace

std::string gbnf_class_char(uint32_t character) {
    if ((character >= '0' && character <= '9') || (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z')) {
        return std::string(1, static_cast<char>(character));
    }
    char text[16];
    std::snprintf(text, sizeof(text), character < 0x100 ? "\\x%02X" : character < 0x10000 ? "\\u%04X" : "\\U%08X", character);
    return text;
}

std::string gbnf_literal(const std::string & text) {
    std::string out = "\"";
    for (const char c : text) {
        switch (c) {
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '"':  out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            default:   out += c;
        }
    }
    return out + "\"";
}

std::string gbnf_repeat(const std::string & item, int64_t least, int64_t most) {
    if (least > gbnf_max_count || (most >= 0 && most < least)) {
        throw NoGrammar();
    }
    if (most < 0) {
        return least == 0 ? item + "*" : least == 1 ? item + "+" : item + "{" + std::to_string(least) + ",}";
    }
    most = std::min(most, gbnf_max_count);
    if (most == 0) {
        return "\"\"";
    }
    if (least == most) {
        return least == 1 ? item : item + "{" + std::to_string(least) + "}";
    }
    return least == 0 && most == 1 ? item + "?" : item + "{" + std::to_string(least) + "," + std::to_string(most) + "}";
}

std::string gbnf_choice(const std::vector<std::string> & alternatives) {
    std::string out;
    for (const std::string & alternative : alternatives) {
        out += out.empty() ? alternative : " | " + alternative;
    }
    return alternatives.size() > 1 ? "(" + out + ")" : out;
}

std::string gbnf_texts(std::vector<std::string> texts, GbnfText & rules) {
    if (texts.size() <= few_texts) {
        for (std::string & text : texts) {
            text = gbnf_literal(text);
        }
        return gbnf_choice(texts);
    }
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return texts_behind(texts, 0, texts.size(), 0, rules);
}

std::string GbnfText::reserve() {
    return prefix_ + std::to_string(count_++);
}

void GbnfText::define(const std::string & name, const std::string & body) {
    if (text_.size() + body.size() > max_text) {
        throw NoGrammar();
    }
    text_ += name + " ::= " + body + "\n";
}

std::string GbnfText::add(const std::string & body) {
    const auto known = names_.find(body);
    if (known != names_.end()) {
        return known->second;
    }
    const std::string name = reserve();
    define(name, body);
    names_.emplace(body, name);
    return name;
}

} // namespace dbs
