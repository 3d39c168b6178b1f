#include "gbnf_check.h"

#include <cstdint>

namespace {

constexpr int max_depth = 200;

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

/** Whether the repetition whose brace is at `at` counts upwards. */
bool counts_upwards(const std::string & text, size_t at) {
    int64_t least = 0;
    int64_t most  = 0;
    at++;
    if (!read_number(text, at, least) || at >= text.size() || text[at] != ',') {
        return true;
    }
    at++;
    return !read_number(text, at, most) || most >= least;
}

} // namespace

bool dbs::gbnf_is_safe(const std::string & gbnf) {
    int depth = 0;
    for (size_t at = 0; at < gbnf.size();) {
        switch (gbnf[at]) {
            case '\0':
                return false;
            case '"':
                at = past_quoted(gbnf, at, '"');
                continue;
            case '[':
                at = past_quoted(gbnf, at, ']');
                continue;
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
                break;
            case '{':
                if (!counts_upwards(gbnf, at)) {
                    return false;
                }
                break;
            default:
                break;
        }
        at++;
    }
    return gbnf.find('\0') == std::string::npos;
}
