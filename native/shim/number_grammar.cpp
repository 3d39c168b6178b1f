#include "number_grammar.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace dbs {

namespace {

constexpr int64_t limit       = 900000000000000000;
constexpr int64_t open_end    = 999999999999;
constexpr int     max_decimals = 6;
constexpr int64_t max_listed  = 256;
constexpr int64_t max_residues = 64;

int64_t power(int exponent) {
    int64_t out = 1;
    while (exponent-- > 0) {
        out *= 10;
    }
    return out;
}

/** Digit strings of one length, compared place by place; a point goes before the last `decimals` of them. */
class Digits {
  public:
    explicit Digits(int decimals) : decimals_(decimals) {}

    std::string between(const std::string & low, const std::string & high, bool first) const {
        const int left = static_cast<int>(low.size());
        if (left == 0) {
            return "";
        }
        const std::string point = left == decimals_ && decimals_ > 0 && !first ? "\".\" " : "";
        if (all(low, '0') && all(high, '9')) {
            return any(left, !first);
        }
        const std::string low_rest  = low.substr(1);
        const std::string high_rest = high.substr(1);
        if (low[0] == high[0]) {
            return point + digit(low[0], low[0]) + behind(between(low_rest, high_rest, false));
        }
        std::vector<std::string> choices;
        char                     from = low[0];
        char                     to   = high[0];
        if (!all(low_rest, '0')) {
            choices.push_back(digit(from, from) + behind(between(low_rest, std::string(low_rest.size(), '9'), false)));
            from++;
        }
        const bool cut = !all(high_rest, '9');
        if (cut) {
            to--;
        }
        if (from <= to) {
            choices.push_back(digit(from, to) + behind(any(left - 1, true)));
        }
        if (cut) {
            choices.push_back(digit(high[0], high[0]) + behind(between(std::string(high_rest.size(), '0'), high_rest, false)));
        }
        return point + gbnf_choice(choices);
    }

  private:
    static bool all(const std::string & text, char c) { return text.find_first_not_of(c) == std::string::npos; }

    static std::string behind(const std::string & text) { return text.empty() ? text : " " + text; }

    static std::string digit(char from, char to) {
        return from == to ? "[" + std::string(1, from) + "]" : "[" + std::string(1, from) + "-" + std::string(1, to) + "]";
    }

    std::string any(int left, bool point_first) const {
        if (left == 0) {
            return "";
        }
        if (decimals_ == 0 || left < decimals_) {
            return gbnf_repeat("[0-9]", left, left);
        }
        const std::string tail = "\".\" " + gbnf_repeat("[0-9]", decimals_, decimals_);
        if (left == decimals_) {
            return point_first ? tail : gbnf_repeat("[0-9]", left, left);
        }
        return gbnf_repeat("[0-9]", left - decimals_, left - decimals_) + " " + tail;
    }

    int decimals_;
};

void add_unsigned(int64_t low, int64_t high, int decimals, const std::string & sign, std::vector<std::string> & out) {
    for (int length = decimals + 1; length <= 18; length++) {
        const int64_t from = std::max(low, length == decimals + 1 ? 0 : power(length - 1));
        const int64_t to   = std::min(high, power(length) - 1);
        if (from > to) {
            continue;
        }
        const auto padded = [&](int64_t value) {
            const std::string text = std::to_string(value);
            return std::string(static_cast<size_t>(length) - text.size(), '0') + text;
        };
        out.push_back(sign + Digits(decimals).between(padded(from), padded(to), true));
    }
}

void add_range(int64_t low, int64_t high, int decimals, std::vector<std::string> & out) {
    if (high >= 0) {
        add_unsigned(std::max<int64_t>(low, 0), high, decimals, "", out);
    }
    if (low < 0) {
        add_unsigned(high < 0 ? -high : 1, -low, decimals, "\"-\" ", out);
    }
}

/** `value` in units of 10^-decimals, rounded inwards; false when it is too large. */
bool scaled(const Decimal & value, int decimals, bool up, bool excluded, int64_t & out) {
    bool exact = true;
    if (value.scale <= decimals) {
        const int64_t factor = decimals - value.scale > 18 ? 0 : power(decimals - value.scale);
        if (value.mantissa != 0 && (factor == 0 || std::llabs(value.mantissa) > limit / factor)) {
            return false;
        }
        out = value.mantissa * factor;
    } else {
        if (value.scale - decimals > 18) {
            out = value.mantissa < 0 ? -1 : 0;
            exact = value.mantissa == 0;
        } else {
            const int64_t factor = power(value.scale - decimals);
            out                  = value.mantissa / factor;
            exact                = value.mantissa % factor == 0;
            if (!exact && value.mantissa < 0) {
                out--;
            }
        }
        if (!exact && up) {
            out++;
        }
    }
    if (exact && excluded) {
        out += up ? 1 : -1;
    }
    return true;
}

std::string fixed(int64_t value, int decimals) {
    std::string text = std::to_string(std::llabs(value));
    if (decimals > 0) {
        if (text.size() <= static_cast<size_t>(decimals)) {
            text = std::string(static_cast<size_t>(decimals) + 1 - text.size(), '0') + text;
        }
        text.insert(text.size() - static_cast<size_t>(decimals), ".");
    }
    return (value < 0 ? "-" : "") + text;
}

/** Up to `left` more digits behind some whose remainder is `rest`, so that all of them are a multiple of `step`; empty: there are none. */
std::string multiples(int64_t step, int64_t rest, int left, GbnfText & rules, std::vector<std::string> & known) {
    std::string & name = known[static_cast<size_t>(rest * 10 + left)];
    if (!name.empty()) {
        return name == "-" ? "" : name;
    }
    std::vector<std::string> choices;
    if (rest == 0) {
        choices.push_back("\"\"");
    }
    for (int64_t digit = 0; digit < 10 && left > 0; digit++) {
        const std::string next = multiples(step, (rest * 10 + digit) % step, left - 1, rules, known);
        if (!next.empty()) {
            choices.push_back("[" + std::to_string(digit) + "] " + next);
        }
    }
    const std::string found = choices.empty() ? "" : rules.add(gbnf_choice(choices));
    known[static_cast<size_t>(rest * 10 + left)] = found.empty() ? "-" : found;
    return found;
}

NumberResult stepped(const NumberBounds & bounds, GbnfText & rules, std::string & out) {
    const Decimal step = *bounds.step;
    int64_t       low  = 0;
    int64_t       high = 0;
    if (bounds.least && bounds.most) {
        if (!scaled(*bounds.least, step.scale, true, bounds.above, low) || !scaled(*bounds.most, step.scale, false, bounds.below, high)) {
            return NumberResult::NO_BOUNDS;
        }
        const auto floor_of = [&](int64_t value) { return value >= 0 ? value / step.mantissa : -((-value + step.mantissa - 1) / step.mantissa); };
        const int64_t first = -floor_of(-low);
        const int64_t last  = floor_of(high);
        if (first > last) {
            return NumberResult::NOTHING;
        }
        if (last - first >= max_listed) {
            return NumberResult::NO_STEP;
        }
        std::vector<std::string> choices;
        for (int64_t k = first; k <= last; k++) {
            if (!bounds.whole || k * step.mantissa % power(step.scale) == 0) {
                choices.push_back(gbnf_literal(bounds.whole ? std::to_string(k * step.mantissa / power(step.scale)) : fixed(k * step.mantissa, step.scale)));
            }
        }
        if (choices.empty()) {
            return NumberResult::NOTHING;
        }
        out = rules.add(gbnf_choice(choices));
        return NumberResult::OK;
    }
    if (bounds.least || bounds.most) {
        return NumberResult::NO_STEP;
    }
    if (step.scale > 0) {
        if (bounds.whole || step.scale > max_decimals || (step.mantissa != 1 && step.mantissa != 2 && step.mantissa != 5)) {
            return NumberResult::NO_STEP;
        }
        const std::string last = step.mantissa == 1 ? "[0-9]" : step.mantissa == 2 ? "[02468]" : "[05]";
        const std::string more = step.scale > 1 ? gbnf_repeat("[0-9]", step.scale - 1, step.scale - 1) + " " : "";
        out                    = rules.add("\"-\"? ([0] | [1-9] [0-9]{0,11}) (\".\" " + more + last + ")?");
        return NumberResult::OK;
    }
    int64_t     rest  = step.mantissa;
    std::string zeros = "";
    while (rest % 10 == 0) {
        rest /= 10;
        zeros += "0";
    }
    if (rest > max_residues) {
        return NumberResult::NO_STEP;
    }
    std::vector<std::string> known(static_cast<size_t>(rest) * 10);
    std::vector<std::string> choices;
    for (int64_t digit = 1; digit < 10; digit++) {
        const std::string more = multiples(rest, digit % rest, 9, rules, known);
        if (!more.empty()) {
            choices.push_back("[" + std::to_string(digit) + "] " + more);
        }
    }
    out = rules.add("\"0\" | \"-\"? " + rules.add(gbnf_choice(choices)) + (zeros.empty() ? "" : " \"" + zeros + "\""));
    return NumberResult::OK;
}

} // namespace

std::optional<Decimal> decimal_of(const std::string & json_number) {
    Decimal out      = { 0, 0 };
    bool    negative = false;
    bool    point    = false;
    size_t  i        = 0;
    if (i < json_number.size() && json_number[i] == '-') {
        negative = true;
        i++;
    }
    for (; i < json_number.size() && json_number[i] != 'e' && json_number[i] != 'E'; i++) {
        if (json_number[i] == '.') {
            point = true;
            continue;
        }
        if (json_number[i] < '0' || json_number[i] > '9' || out.mantissa > limit / 10 - 1) {
            return std::nullopt;
        }
        out.mantissa = out.mantissa * 10 + (json_number[i] - '0');
        out.scale += point ? 1 : 0;
    }
    if (i < json_number.size()) {
        const long exponent = std::strtol(json_number.c_str() + i + 1, nullptr, 10);
        if (exponent > 400 || exponent < -400) {
            return std::nullopt;
        }
        out.scale -= static_cast<int>(exponent);
    }
    while (out.scale > 0 && out.mantissa % 10 == 0) {
        out.mantissa /= 10;
        out.scale--;
    }
    for (; out.scale < 0 && out.mantissa != 0; out.scale++) {
        if (out.mantissa > limit / 10) {
            return std::nullopt;
        }
        out.mantissa *= 10;
    }
    if (out.mantissa == 0) {
        out.scale = 0;
    }
    out.mantissa = negative ? -out.mantissa : out.mantissa;
    return out;
}

NumberResult number_grammar(const NumberBounds & bounds, GbnfText & rules, std::string & out) {
    if (bounds.step) {
        // Every integer is a multiple of a step that divides one.
        const Decimal step = *bounds.step;
        if (step.scale > 18 || step.mantissa <= 0) {
            return NumberResult::NO_STEP;
        }
        if (!bounds.whole || power(step.scale) % step.mantissa != 0) {
            return stepped(bounds, rules, out);
        }
    }
    int decimals = 0;
    if (!bounds.whole) {
        decimals = std::max(bounds.least ? bounds.least->scale : 0, bounds.most ? bounds.most->scale : 0);
        decimals = std::min(max_decimals, decimals + 2);
    }
    std::vector<std::string> choices;
    bool                     said = false;
    for (int k = 0; k <= decimals; k++) {
        int64_t low  = 0;
        int64_t high = 0;
        const bool fits = (!bounds.least || scaled(*bounds.least, k, true, bounds.above, low)) &&
                          (!bounds.most || scaled(*bounds.most, k, false, bounds.below, high));
        const int64_t open = open_end * power(std::min(k, 5));
        if (!fits || low > limit || high > limit || low < -limit || high < -limit) {
            continue;
        }
        said = true;
        if (!bounds.least) {
            low = high < -open / 10 ? std::max(-limit, high * 10) : -open;
        }
        if (!bounds.most) {
            high = low > open / 10 ? (low > limit / 10 ? limit : low * 10) : open;
        }
        if (low <= high) {
            add_range(low, high, k, choices);
        }
    }
    if (!said) {
        return NumberResult::NO_BOUNDS;
    }
    if (choices.empty()) {
        return NumberResult::NOTHING;
    }
    out = rules.add(gbnf_choice(choices));
    return NumberResult::OK;
}

} // namespace dbs
