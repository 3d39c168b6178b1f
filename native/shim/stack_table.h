// Sets of a grammar's stacks, each kept once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dbs {

/**
 * Sets of stacks as a grammar's matcher has them: what is still to be matched, the next position on top. A set lists its tops, and each
 * top the set of all that may lie below it, so that stacks share what they have in common and their number does not show. A set that is
 * asked for twice gets the same number; what lies below has a smaller number than what lies on it.
 */
class StackTable {
  public:
    /** A position with the set below it. */
    struct Top {
        uint32_t position;
        int32_t  below;

        bool operator==(const Top & other) const { return position == other.position && below == other.below; }
        bool operator<(const Top & other) const { return position != other.position ? position < other.position : below < other.below; }
    };

    /** One set. Its tops are valid until the next `intern`. */
    struct View {
        const Top * tops;
        uint32_t    n_tops;
        bool        holds_empty; // the stack with nothing left to match is one of the set
    };

    /** The set without any stack. */
    static constexpr int32_t nothing = 0;

    StackTable();

    /** The set of `tops`, which are sorted and without repetition, and of the empty stack if `holds_empty`. May throw. */
    int32_t intern(const std::vector<Top> & tops, bool holds_empty);

    View operator[](int32_t set) const {
        const Set & s = sets_[static_cast<size_t>(set)];
        return { tops_.data() + s.begin, s.n_tops, s.holds_empty };
    }

    size_t size() const { return sets_.size(); }
    size_t bytes() const { return tops_.size() * sizeof(Top) + sets_.size() * sizeof(Set) + slots_.size() * sizeof(int32_t); }

    /** Moves `set` and what lies below it to a new table; returns its number there. May throw. */
    int32_t move_to(StackTable & to, int32_t set) const;

  private:
    struct Set {
        uint64_t hash;
        size_t   begin; // into tops_
        uint32_t n_tops;
        bool     holds_empty;
    };

    void grow();

    std::vector<Top>     tops_;
    std::vector<Set>     sets_;
    std::vector<int32_t> slots_; // open addressing by hash, a power of two; -1: free
};

} // namespace dbs
