// The most likely token of a row of logits.
#pragma once

#include <algorithm>
#include <cstdint>

/**
 * Returns the index of the largest of n values, the lowest among equals.
 *
 * A block's maximum is kept in lanes that do not depend on each other, which compilers turn into vector instructions; a loop that carries the
 * index along is not. Only the block that won is searched for the index.
 */
inline int32_t argmax(const float * values, int32_t n) {
    constexpr int32_t block = 512;
    constexpr int32_t lanes = 16;
    int32_t           best  = 0;
    int32_t           at    = 0;
    for (; at + block <= n; at += block) {
        float top[lanes];
        std::copy(values + at, values + at + lanes, top);
        for (int32_t i = at + lanes; i < at + block; i += lanes) {
            for (int32_t lane = 0; lane < lanes; lane++) {
                top[lane] = values[i + lane] > top[lane] ? values[i + lane] : top[lane];
            }
        }
        const float most = *std::max_element(top, top + lanes);
        if (at == 0 || most > values[best]) {
            best = static_cast<int32_t>(std::find(values + at, values + at + block - 1, most) - values);
        }
    }
    for (; at < n; at++) {
        best = values[at] > values[best] ? at : best;
    }
    return best;
}
