#include "grammar_rules.h"

#include <algorithm>
#include <limits>

#include "llama-grammar.h"

namespace dbs {

namespace {

bool ends_alternate(const llama_grammar_element & element) {
    return element.type == LLAMA_GRETYPE_END || element.type == LLAMA_GRETYPE_ALT;
}

/** A call of one rule by another before anything is consumed. */
struct Call {
    uint32_t callee;
    bool     is_last; // nothing of the caller is left to do after it
};

/**
 * The rules that a rule calls before it consumes anything, by `is_nullable`: a function that says of a rule whether it may match nothing.
 */
template <typename IsNullable>
std::vector<Call> left_calls(const GrammarRules & grammar, uint32_t rule, IsNullable && is_nullable) {
    std::vector<Call> calls;
    const GrammarRules::Rule & r = grammar.rules[rule];
    for (uint32_t alternate = r.alternates_begin; alternate < r.alternates_end; alternate++) {
        for (uint32_t at = grammar.alternates[alternate]; grammar.items[at].kind == GrammarRules::Kind::rule; at++) {
            const uint32_t callee = grammar.items[at].value;
            calls.push_back({ callee, grammar.items[at + 1].kind == GrammarRules::Kind::end });
            if (!is_nullable(callee)) {
                break;
            }
        }
    }
    return calls;
}

} // namespace

bool GrammarRules::compile(const llama_vocab * vocab, const std::string & gbnf) {
    llama_grammar_parser parser(vocab);
    if (!parser.parse(gbnf.c_str()) || parser.rules.empty()) {
        return false;
    }
    const auto start = parser.symbol_ids.find("root");
    if (start == parser.symbol_ids.end() || start->second >= parser.rules.size()) {
        return false;
    }
    root = start->second;
    lay_out(parser);
    if (is_left_recursive()) {
        return false;
    }
    find_nullable();
    return order_groups();
}

void GrammarRules::lay_out(const llama_grammar_parser & parser) {
    class_starts.push_back(0);
    const auto add_range = [&](uint32_t low, uint32_t high) {
        if (low <= high) { // the others hold nothing
            ranges.push_back({ low, high });
        }
    };
    // Sorted and without overlap, so that a binary search finds the one that matters.
    const auto end_ranges = [&](uint32_t begin) {
        std::sort(ranges.begin() + begin, ranges.end(), [](const Range & a, const Range & b) { return a.low < b.low; });
        size_t kept = begin;
        for (size_t at = begin; at < ranges.size(); at++) {
            if (kept > begin && ranges[at].low <= ranges[kept - 1].high) {
                ranges[kept - 1].high = std::max(ranges[kept - 1].high, ranges[at].high);
            } else {
                ranges[kept++] = ranges[at];
            }
        }
        ranges.resize(kept);
        for (size_t at = begin; at < kept; at++) {
            class_starts.push_back(ranges[at].low);
            if (ranges[at].high != std::numeric_limits<uint32_t>::max()) {
                class_starts.push_back(ranges[at].high + 1);
            }
        }
    };
    for (const llama_grammar_rule & rule : parser.rules) {
        const uint32_t alternates_begin = static_cast<uint32_t>(alternates.size());
        alternates.push_back(static_cast<uint32_t>(items.size()));
        for (size_t at = 0; at < rule.size();) {
            const llama_grammar_element & element = rule[at];
            if (ends_alternate(element)) {
                items.push_back({ Kind::end, false, 0, 0 });
                at++;
                if (element.type == LLAMA_GRETYPE_END) {
                    break;
                }
                alternates.push_back(static_cast<uint32_t>(items.size()));
                continue;
            }
            if (element.type == LLAMA_GRETYPE_RULE_REF || element.type == LLAMA_GRETYPE_TOKEN || element.type == LLAMA_GRETYPE_TOKEN_NOT) {
                const Kind kind = element.type == LLAMA_GRETYPE_RULE_REF ? Kind::rule : element.type == LLAMA_GRETYPE_TOKEN ? Kind::token : Kind::other_token;
                items.push_back({ kind, false, element.value, 0 });
                at++;
                continue;
            }
            // One code point, from the parser's row of a first range and further ones.
            Item item = { Kind::code_point, element.type == LLAMA_GRETYPE_CHAR_NOT, static_cast<uint32_t>(ranges.size()), 0 };
            do {
                if (rule[at + 1].type == LLAMA_GRETYPE_CHAR_RNG_UPPER) {
                    add_range(rule[at].value, rule[at + 1].value);
                    at += 2;
                } else if (rule[at].type == LLAMA_GRETYPE_CHAR_ANY) {
                    add_range(0, std::numeric_limits<uint32_t>::max());
                    at++;
                } else {
                    add_range(rule[at].value, rule[at].value);
                    at++;
                }
            } while (rule[at].type == LLAMA_GRETYPE_CHAR_ALT);
            end_ranges(item.value);
            item.ranges_end = static_cast<uint32_t>(ranges.size());
            items.push_back(item);
        }
        rules.push_back({ alternates_begin, static_cast<uint32_t>(alternates.size()), 0, false });
    }
    std::sort(class_starts.begin(), class_starts.end());
    class_starts.erase(std::unique(class_starts.begin(), class_starts.end()), class_starts.end());
}

// As upstream sees it: only a rule with an empty alternate of its own counts as one that may match nothing. Visiting each rule once, which
// upstream does not.
bool GrammarRules::is_left_recursive() const {
    std::vector<bool> has_empty(rules.size());
    for (size_t rule = 0; rule < rules.size(); rule++) {
        for (uint32_t alternate = rules[rule].alternates_begin; alternate < rules[rule].alternates_end; alternate++) {
            has_empty[rule] = has_empty[rule] || items[alternates[alternate]].kind == Kind::end;
        }
    }
    enum : uint8_t { unseen, open, done };
    struct Frame {
        uint32_t          rule;
        std::vector<Call> calls;
        size_t            next;
    };
    std::vector<uint8_t> state(rules.size(), unseen);
    std::vector<Frame>   path;
    const auto           enter = [&](uint32_t rule) {
        state[rule] = open;
        path.push_back({ rule, left_calls(*this, rule, [&](uint32_t callee) { return has_empty[callee]; }), 0 });
    };
    for (uint32_t rule = 0; rule < rules.size(); rule++) {
        if (state[rule] != unseen) {
            continue;
        }
        enter(rule);
        while (!path.empty()) {
            Frame & frame = path.back();
            if (frame.next == frame.calls.size()) {
                state[frame.rule] = done;
                path.pop_back();
                continue;
            }
            const uint32_t callee = frame.calls[frame.next++].callee;
            if (state[callee] == open) {
                return true;
            }
            if (state[callee] == unseen) {
                enter(callee);
            }
        }
    }
    return false;
}

void GrammarRules::find_nullable() {
    // An alternate is nullable once each of its items is; those with a terminal never are.
    struct Alternate {
        uint32_t rule;
        uint32_t missing;
    };
    std::vector<Alternate>             open(alternates.size());
    std::vector<std::vector<uint32_t>> used_by(rules.size());
    std::vector<uint32_t>              found;
    const auto                         settle = [&](uint32_t rule) {
        if (!rules[rule].nullable) {
            rules[rule].nullable = true;
            found.push_back(rule);
        }
    };
    for (uint32_t rule = 0; rule < rules.size(); rule++) {
        for (uint32_t alternate = rules[rule].alternates_begin; alternate < rules[rule].alternates_end; alternate++) {
            uint32_t at = alternates[alternate];
            while (items[at].kind == Kind::rule) {
                at++;
            }
            if (items[at].kind != Kind::end) {
                continue;
            }
            open[alternate] = { rule, at - alternates[alternate] };
            for (at = alternates[alternate]; items[at].kind == Kind::rule; at++) {
                used_by[items[at].value].push_back(alternate);
            }
            if (open[alternate].missing == 0) {
                settle(rule);
            }
        }
    }
    while (!found.empty()) {
        const uint32_t rule = found.back();
        found.pop_back();
        for (const uint32_t alternate : used_by[rule]) {
            if (--open[alternate].missing == 0) {
                settle(open[alternate].rule);
            }
        }
    }
}

// Tarjan's strongly connected components, without recursion. They come out callees first, which is what `group` promises.
bool GrammarRules::order_groups() {
    constexpr uint32_t unseen = std::numeric_limits<uint32_t>::max();
    struct Frame {
        uint32_t          rule;
        std::vector<Call> calls;
        size_t            next;
    };
    const auto            is_nullable = [&](uint32_t callee) { return rules[callee].nullable; };
    std::vector<uint32_t> index(rules.size(), unseen);
    std::vector<uint32_t> low(rules.size());
    std::vector<bool>     waiting(rules.size());
    std::vector<uint32_t> stack;
    std::vector<Frame>    path;
    uint32_t              next_index = 0;
    const auto            enter      = [&](uint32_t rule) {
        index[rule] = low[rule] = next_index++;
        waiting[rule]           = true;
        stack.push_back(rule);
        path.push_back({ rule, left_calls(*this, rule, is_nullable), 0 });
    };
    for (uint32_t start = 0; start < rules.size(); start++) {
        if (index[start] != unseen) {
            continue;
        }
        enter(start);
        while (!path.empty()) {
            Frame &        frame = path.back();
            const uint32_t rule  = frame.rule;
            if (frame.next < frame.calls.size()) {
                const uint32_t callee = frame.calls[frame.next++].callee;
                if (index[callee] == unseen) {
                    enter(callee);
                } else if (waiting[callee]) {
                    low[rule] = std::min(low[rule], index[callee]);
                }
                continue;
            }
            path.pop_back();
            if (!path.empty()) {
                low[path.back().rule] = std::min(low[path.back().rule], low[rule]);
            }
            if (low[rule] == index[rule]) {
                uint32_t member;
                do {
                    member = stack.back();
                    stack.pop_back();
                    waiting[member]     = false;
                    rules[member].group = n_groups;
                } while (member != rule);
                n_groups++;
            }
        }
    }
    // Only what the root reaches is ever asked to match.
    std::vector<bool>     reached(rules.size());
    std::vector<uint32_t> todo = { root };
    reached[root]              = true;
    while (!todo.empty()) {
        const uint32_t rule = todo.back();
        todo.pop_back();
        for (const Call & call : left_calls(*this, rule, is_nullable)) {
            if (rules[call.callee].group == rules[rule].group && !call.is_last) {
                return false;
            }
        }
        for (uint32_t alternate = rules[rule].alternates_begin; alternate < rules[rule].alternates_end; alternate++) {
            for (uint32_t at = alternates[alternate]; items[at].kind != Kind::end; at++) {
                if (items[at].kind == Kind::rule && !reached[items[at].value]) {
                    reached[items[at].value] = true;
                    todo.push_back(items[at].value);
                }
            }
        }
    }
    return true;
}

bool GrammarRules::matches(const Item & item, uint32_t code_point) const {
    return touches(item, code_point, code_point);
}

bool GrammarRules::touches(const Item & item, uint32_t low, uint32_t high) const {
    const Range * const end   = ranges.data() + item.ranges_end;
    const Range * const found = std::lower_bound(ranges.data() + item.value, end, low, [](const Range & range, uint32_t value) { return range.high < value; });
    return (found != end && found->low <= high) != item.inverted;
}

uint32_t GrammarRules::class_of(uint32_t code_point) const {
    return static_cast<uint32_t>(std::upper_bound(class_starts.begin(), class_starts.end(), code_point) - class_starts.begin() - 1);
}

} // namespace dbs
