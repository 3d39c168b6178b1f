#include "pattern_grammar.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace dbs {

namespace {

constexpr size_t max_pattern = 16 * 1024;
constexpr int    max_depth   = 100;

constexpr uint32_t last_of_plane = 0xFFFF;

struct Range {
    uint32_t first;
    uint32_t last;
};

using Set = std::vector<Range>;

Set complement(Set set) {
    std::sort(set.begin(), set.end(), [](const Range & a, const Range & b) { return a.first < b.first; });
    Set      out;
    uint32_t next = 0;
    for (const Range & range : set) {
        if (range.first > next) {
            out.push_back({ next, range.first - 1 });
        }
        next = std::max(next, range.last + 1);
    }
    if (next <= last_of_plane) {
        out.push_back({ next, last_of_plane });
    }
    return out;
}

bool has(const Set & set, uint32_t character) {
    return std::any_of(set.begin(), set.end(), [&](const Range & range) { return range.first <= character && character <= range.last; });
}

void add(Set & set, const Set & more) {
    set.insert(set.end(), more.begin(), more.end());
}

const Set digits = { { '0', '9' } };
const Set word   = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
const Set blank  = { { '\t', '\r' }, { ' ', ' ' } };
// What some engine counts as a blank, for the class of all that is none.
const Set any_blank = { { '\t', '\r' }, { 0x1C, 0x20 },     { 0x85, 0x85 },     { 0xA0, 0xA0 },     { 0x1680, 0x1680 }, { 0x180E, 0x180E },
                        { 0x2000, 0x200B }, { 0x2028, 0x2029 }, { 0x202F, 0x202F }, { 0x205F, 0x205F }, { 0x3000, 0x3000 }, { 0xFEFF, 0xFEFF } };
const Set line_ends = { { '\n', '\n' }, { '\r', '\r' }, { 0x85, 0x85 }, { 0x2028, 0x2029 } };

/** One character of the set as JSON writes it in a string, or, where `is_text`, as text between marks writes it. */
std::string expression_of(const Set & set, bool is_text) {
    // What stands in a string as it is: no quote, backslash, control character or half of a pair. Between marks: nothing that begins a mark.
    static const Set in_json = { { 0x20, 0x21 }, { 0x23, 0x5B }, { 0x5D, 0x7E }, { 0x80, 0xD7FF }, { 0xE000, 0x10FFFF } };
    static const Set in_text = { { 0x20, 0x3B }, { 0x3D, 0x7E }, { 0x80, 0xD7FF }, { 0xE000, 0x10FFFF } };
    const Set &      plain   = is_text ? in_text : in_json;
    std::string raw;
    for (const Range & range : set) {
        for (const Range & part : plain) {
            const uint32_t first = std::max(range.first, part.first);
            const uint32_t last  = std::min(range.last, part.last);
            if (first <= last) {
                raw += first == last ? gbnf_class_char(first) : gbnf_class_char(first) + "-" + gbnf_class_char(last);
            }
        }
    }
    std::string escaped;
    for (const auto & [character, letter] : { std::pair<uint32_t, char>{ '"', '"' }, { '\\', '\\' }, { '\b', 'b' }, { '\f', 'f' }, { '\n', 'n' }, { '\r', 'r' }, { '\t', 't' } }) {
        if (!is_text && has(set, character)) {
            escaped += gbnf_class_char(static_cast<uint32_t>(letter));
        }
    }
    std::vector<std::string> choices;
    if (!raw.empty()) {
        choices.push_back("[" + raw + "]");
    }
    if (!escaped.empty()) {
        choices.push_back("\"\\\\\" [" + escaped + "]");
    }
    if (choices.empty()) {
        throw NoGrammar();
    }
    return choices.size() == 1 && !raw.empty() ? choices.front() : "(" + (choices.size() == 1 ? choices.front() : choices[0] + " | " + choices[1]) + ")";
}

struct Part {
    std::string text;
    bool        nullable;
};

class Reader {
  public:
    Reader(const std::string & pattern, GbnfText & rules, bool is_text) : rules_(rules), is_text_(is_text) {
        for (size_t i = 0; i < pattern.size();) {
            const auto     lead   = static_cast<unsigned char>(pattern[i]);
            const size_t   length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            uint32_t       c      = length == 1 ? lead : lead & (0xFF >> (length + 1));
            for (size_t k = 1; k < length && i + k < pattern.size(); k++) {
                c = c << 6 | (static_cast<unsigned char>(pattern[i + k]) & 0x3F);
            }
            text_.push_back(c);
            i += length;
        }
    }

    std::string whole() {
        std::vector<std::string> alternatives;
        const std::string        anything = expression_of({ { 0, last_of_plane } }, is_text_) + "*";
        do {
            const bool begins = accept('^');
            const Part part   = sequence(0);
            const bool ends   = accept('$');
            alternatives.push_back((begins ? "" : anything + " ") + part.text + (ends ? "" : " " + anything));
        } while (accept('|'));
        if (at_ < text_.size()) {
            throw NoGrammar();
        }
        const std::string body = rules_.add(gbnf_choice(alternatives));
        return is_text_ ? body : "\"\\\"\" " + body + " \"\\\"\"";
    }

  private:
    uint32_t peek() const { return at_ < text_.size() ? text_[at_] : 0; }

    uint32_t take() {
        if (at_ >= text_.size()) {
            throw NoGrammar();
        }
        return text_[at_++];
    }

    bool accept(char c) {
        if (peek() != static_cast<uint32_t>(c)) {
            return false;
        }
        at_++;
        return true;
    }

    Part alternatives(int depth) {
        std::vector<std::string> texts;
        bool                     nullable = false;
        do {
            const Part part = sequence(depth);
            texts.push_back(part.text);
            nullable |= part.nullable;
        } while (accept('|'));
        return { gbnf_choice(texts), nullable };
    }

    Part sequence(int depth) {
        Part out = { "", true };
        while (at_ < text_.size() && peek() != '|' && peek() != ')' && peek() != '$') {
            const Part item = quantified(atom(depth));
            out.text += out.text.empty() ? item.text : " " + item.text;
            out.nullable &= item.nullable;
        }
        if (out.text.empty()) {
            out.text = "\"\"";
        }
        return out;
    }

    Part atom(int depth) {
        const uint32_t c = take();
        switch (c) {
            case '(': {
                if (depth == max_depth) {
                    throw NoGrammar();
                }
                if (accept('?')) {
                    if (accept('<')) { // a named group; look-behind has = or ! here
                        if (peek() == '=' || peek() == '!') {
                            throw NoGrammar();
                        }
                        while (take() != '>') {
                        }
                    } else if (!accept(':')) {
                        throw NoGrammar();
                    }
                }
                const Part inner = alternatives(depth + 1);
                if (!accept(')')) {
                    throw NoGrammar();
                }
                return { rules_.add(inner.text), inner.nullable };
            }
            case '.': return { expression_of(complement(line_ends), is_text_), false };
            case '[': return { expression_of(char_class(), is_text_), false };
            case '\\': return { expression_of(escape(false), is_text_), false };
            case '*':
            case '+':
            case '?':
            case '{':
            case '^': throw NoGrammar();
            default: return { expression_of({ { c, c } }, is_text_), false };
        }
    }

    Part quantified(const Part & item) {
        int64_t least = 0;
        int64_t most  = -1;
        if (accept('+')) {
            least = 1;
        } else if (accept('?')) {
            most = 1;
        } else if (accept('{')) {
            least = number();
            most  = least;
            if (accept(',')) {
                most = peek() == '}' ? -1 : number();
            }
            if (!accept('}')) {
                throw NoGrammar();
            }
        } else if (!accept('*')) {
            return item;
        }
        if (peek() == '+') {
            throw NoGrammar();
        }
        accept('?'); // a lazy quantifier matches the same strings
        if (item.nullable && most < 0) {
            throw NoGrammar(); // nothing, over and over: upstream calls that left recursion
        }
        return { gbnf_repeat(rules_.add(item.text), least, most), item.nullable || least == 0 };
    }

    int64_t number() {
        if (peek() < '0' || peek() > '9') {
            throw NoGrammar();
        }
        int64_t out = 0;
        while (peek() >= '0' && peek() <= '9') {
            out = std::min<int64_t>(out * 10 + (take() - '0'), 1000000);
        }
        return out;
    }

    Set char_class() {
        const bool negated = accept('^');
        Set        set;
        while (!accept(']')) {
            Set left = class_atom();
            if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
                take();
                const Set right = class_atom();
                if (left.size() != 1 || left[0].first != left[0].last || right.size() != 1 || right[0].first != right[0].last || right[0].first < left[0].first) {
                    throw NoGrammar();
                }
                left[0].last = right[0].first;
            }
            add(set, left);
        }
        return negated ? complement(set) : set;
    }

    Set class_atom() {
        const uint32_t c = take();
        if (c == '[' || (c == '&' && peek() == '&')) {
            throw NoGrammar(); // set notation in some engines, a plain character in others
        }
        return c == '\\' ? escape(true) : Set{ { c, c } };
    }

    Set escape(bool in_class) {
        const uint32_t c = take();
        switch (c) {
            case 'd': return digits;
            case 'D': return complement(digits);
            case 'w': return word;
            case 'W': return complement(word);
            case 's': return blank;
            case 'S': return complement(any_blank);
            case 'n': return { { '\n', '\n' } };
            case 'r': return { { '\r', '\r' } };
            case 't': return { { '\t', '\t' } };
            case 'f': return { { '\f', '\f' } };
            case 'x': return hex(2);
            case 'u': return hex(4);
            case 'b':
                if (in_class) {
                    return { { '\b', '\b' } };
                }
                throw NoGrammar();
            default:
                if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
                    throw NoGrammar();
                }
                return { { c, c } };
        }
    }

    Set hex(int length) {
        uint32_t out = 0;
        for (int i = 0; i < length; i++) {
            const uint32_t c = take();
            const uint32_t d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
            if (d == 16) {
                throw NoGrammar();
            }
            out = out * 16 + d;
        }
        return { { out, out } };
    }

    GbnfText &            rules_;
    bool                  is_text_;
    std::vector<uint32_t> text_;
    size_t                at_ = 0;
};

std::optional<std::string> read(const std::string & pattern, GbnfText & rules, bool is_text) {
    if (pattern.size() > max_pattern) {
        return std::nullopt;
    }
    try {
        return Reader(pattern, rules, is_text).whole();
    } catch (const NoGrammar &) {
        return std::nullopt;
    }
}

} // namespace

std::optional<std::string> pattern_grammar(const std::string & pattern, GbnfText & rules) {
    return read(pattern, rules, false);
}

std::optional<std::string> plain_pattern_grammar(const std::string & pattern, GbnfText & rules) {
    return read(pattern, rules, true);
}

} // namespace dbs
