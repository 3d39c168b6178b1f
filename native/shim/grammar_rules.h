// A grammar's rules, read by llama.cpp's parser and laid out for matching.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "darkbloom_shim.h"

struct llama_grammar_parser;

namespace dbs {

/**
 * The rules of one grammar as a row of items; a position in a rule is an index into that row. Immutable once compiled.
 *
 * Two facts about the rules are worked out beforehand, so that a matcher need not discover them as paths: which rules may match nothing,
 * and in which order rules call each other without consuming anything.
 */
struct GrammarRules {
    enum class Kind : uint8_t {
        end,          // of an alternate
        rule,         // `value` is a rule
        code_point,   // one code point that is, or with `inverted` is not, in ranges [value, ranges_end), which rise and do not overlap
        token,        // the token `value`
        other_token,  // any token but `value`
    };

    struct Item {
        Kind     kind;
        bool     inverted;
        uint32_t value;
        uint32_t ranges_end;
    };

    struct Range {
        uint32_t low;
        uint32_t high; // included
    };

    struct Rule {
        uint32_t alternates_begin; // into `alternates`
        uint32_t alternates_end;
        uint32_t group;            // rules of one group call each other before anything is consumed; a caller's group is above its callee's
        bool     nullable;         // may match nothing
    };

    std::vector<Item>     items;
    std::vector<Range>    ranges;
    std::vector<uint32_t> alternates;  // where each begins in `items`
    std::vector<Rule>     rules;
    std::vector<uint32_t> class_starts; // rising, from 0: code points between two of them are the same to every item
    uint32_t              n_groups = 0;
    uint32_t              root     = 0;

    /**
     * Reads GBNF text whose start symbol is `root`. Returns whether it is a grammar that can be matched: what upstream refuses is refused, and
     * so is a rule that calls itself before it consumes anything, with something left to do after it, which would never come to an end. May
     * throw, and recurses as deep as the text's groups nest; the caller has checked the text with gbnf_is_safe.
     */
    bool compile(const llama_vocab * vocab, const std::string & gbnf);

    /** Whether an item of code points accepts this one. */
    bool matches(const Item & item, uint32_t code_point) const;

    /** Whether an item of code points accepts one of [low, high] at least as far as upstream looks: any range that touches it decides. */
    bool touches(const Item & item, uint32_t low, uint32_t high) const;

    /** The class of a code point: an index into class_starts. */
    uint32_t class_of(uint32_t code_point) const;

  private:
    void lay_out(const llama_grammar_parser & parser);
    bool is_left_recursive() const;
    void find_nullable();
    bool order_groups();
};

} // namespace dbs
