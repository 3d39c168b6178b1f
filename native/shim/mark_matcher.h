// Finds the first end of any of some short texts in a stream of bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dbs {

/**
 * An automaton of Aho and Corasick over the bytes of a stream: a byte costs the same however long the stream and however many the marks. Where
 * one mark ends within another, it is found there. One thread at a time.
 */
class MarkMatcher {
  public:
    /** Empty marks are left out. May throw. */
    explicit MarkMatcher(const std::vector<std::string> & marks);

    /** Moves on by a byte; returns the length of the longest mark that ends with it, 0 when none does. */
    size_t add(char byte) {
        if (at_ == 0 && !begins_[static_cast<unsigned char>(byte)]) {
            return 0;
        }
        return step(byte);
    }

    /** Whether a mark ends within `text` where that comes next. The stream stays where it is. */
    bool would_end_in(const std::string & text) {
        const uint32_t at    = at_;
        bool           found = false;
        for (size_t i = 0; i < text.size() && !found; i++) {
            found = add(text[i]) > 0;
        }
        at_ = at;
        return found;
    }

    /** The length of the longest end of the stream with which a mark begins. */
    size_t begun() const { return nodes_[at_].depth; }

    /** Forgets the stream. */
    void reset() { at_ = 0; }

  private:
    struct Node {
        std::vector<std::pair<char, uint32_t>> next;
        uint32_t                               shorter = 0; // the node of the longest other end of the stream
        size_t                                 depth   = 0;
        size_t                                 match   = 0; // length of the longest mark that ends here
    };

    size_t   step(char byte);
    uint32_t child(uint32_t node, char byte) const; // 0 for none

    std::vector<Node>     nodes_;
    std::array<bool, 256> begins_ = {};
    uint32_t              at_     = 0;
};

} // namespace dbs
