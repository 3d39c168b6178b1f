#include "grammar_text.h"

#include <algorithm>
#include <cstdio>

namespace dbs {

namespace {

// What a schema of one megabyte may grow to; real ones stay far below.
constexpr size_t max_text = size_t{ 8 } << 20;

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
