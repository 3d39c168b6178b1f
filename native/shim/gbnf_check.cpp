#include "gbnf_check.h"

#include <algorithm>
#include <cstdint>

namespace {

constexpr int max_depth = 200;

// Upstream's own limit on a repetition. It looks at counts, not at the length of what is repeated.
constexpr int64_t max_count = 2000;

// What all repetitions may grow to, in elements of rules; a copy that may be left out is a rule of its own, which weighs as much as some.
constexpr int64_t max_elements      = int64_t{ 8 } << 20;
constexpr int64_t elements_of_a_rule = 8;

/** The position after a literal or a character class that begins at `at` and ends with `end`. */
size_t past_quoted(const std::string & text, size_t at, char end) {
    for (at++; at < text.size() && text[at] != end; at++) {
        if (text[at] == '\\') {
            at++;
        }
    }
    return at < text.size() ? at + 1 : text.size();
}

/** Reads the number at `at`, if one is there, and moves past it and past blanks; numbers beyond a million are all the same here. */
bool read_number(const std::string & text, size_t & at, int64_t & out) {
    const auto skip_blanks = [&] {
        while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r')) {
            at++;
        }
    };
    skip_blanks();
    const size_t begin = at;
    out                = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; at++) {
        out = out < 1000000 ? out * 10 + (text[at] - '0') : out;
    }
    const bool found = at > begin;
    skip_blanks();
    return found;
}

/** How often the repetition whose brace is at `at` writes its item down, or -1 if it counts backwards. */
int64_t copies_of(const std::string & text, size_t at) {
    int64_t least = 0;
    int64_t most  = 0;
    at++;
    if (!read_number(text, at, least) || at >= text.size() || text[at] != ',') {
        return std::min(least, max_count);
    }
    at++;
    if (!read_number(text, at, most)) {
        return std::min(least, max_count);
    }
    return most < least ? -1 : std::min(most, max_count);
}

} // namespace

bool dbs::gbnf_is_safe(const std::string & gbnf) {
    int     depth     = 0;
    int64_t item_size = 0; // of the last symbol: a literal or a class is copied as it stands, anything else is a reference
    int64_t elements  = 0;
    for (size_t at = 0; at < gbnf.size();) {
        switch (gbnf[at]) {
            case '\0':
                return false;
            case '"':
            case '[': {
                const size_t past = past_quoted(gbnf, at, gbnf[at] == '"' ? '"' : ']');
                item_size         = static_cast<int64_t>(past - at);
                at                = past;
                continue;
            }
            case '#':
                at = gbnf.find('\n', at);
                if (at == std::string::npos) {
                    return true;
                }
                break;
            case '(':
                if (++depth > max_depth) {
                    return false;
                }
                break;
            case ')':
                depth--;
                item_size = 1;
                break;
            case '{': {
                const int64_t copies = copies_of(gbnf, at);
                elements += copies * (item_size + elements_of_a_rule);
                if (copies < 0 || elements > max_elements) {
                    return false;
                }
                break;
            }
            case ' ':
            case '\t':
            case '\r':
            case '\n':
                break;
            default:
                item_size = 1;
                break;
        }
        at++;
    }
    return gbnf.find('\0') == std::string::npos;
}
