// JSON numbers between bounds as grammars.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "grammar_text.h"

namespace dbs {

/** mantissa / 10^scale, without trailing zeros behind the point. */
struct Decimal {
    int64_t mantissa;
    int     scale;
};

/** Reads a JSON number; empty when it has more digits than the type holds. */
std::optional<Decimal> decimal_of(const std::string & json_number);

struct NumberBounds {
    std::optional<Decimal> least;
    std::optional<Decimal> most;
    bool                   above = false; // `least` itself is excluded
    bool                   below = false; // `most` itself is excluded
    std::optional<Decimal> step;          // every value is a multiple of it; above 0
    bool                   whole = false; // integers only
};

enum class NumberResult { OK, NOTHING, NO_BOUNDS, NO_STEP };

/**
 * Writes an expression that accepts only numbers within the bounds, in plain notation: up to six decimals, and up to some twelve digits on
 * a side without a bound. NOTHING: no such number. NO_BOUNDS and NO_STEP: what cannot be said, bounds or step; `out` is unchanged.
 */
NumberResult number_grammar(const NumberBounds & bounds, GbnfText & rules, std::string & out);

} // namespace dbs
