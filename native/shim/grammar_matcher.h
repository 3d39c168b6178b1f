// Where a text stands in its grammar, and what may come next.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "grammar_rules.h"
#include "stack_table.h"
#include "token_trie.h"

namespace dbs {

/** Thrown where a grammar wants more work or memory than it is granted; the matcher is of no use afterwards. */
struct GrammarTooDear {};

/**
 * Matches a text against a grammar, token by token.
 *
 * All parses are followed at once. Rules that are called at the same place of the text are called once, whoever calls them (as in a
 * generalised LL parser), so the work of one code point is bounded by the grammar's size and the text's length, not by the number of ways
 * to read the text, which can be exponential. What may follow is found by one walk over the vocabulary's trie and remembered by where the
 * grammar stands. Beyond that, work is counted, and a step that wants more than its share ends in GrammarTooDear.
 *
 * One thread at a time.
 */
class GrammarMatcher {
  public:
    /** Begins at the grammar's root. `trie` lives at least as long. May throw. */
    GrammarMatcher(GrammarRules rules, const TokenTrie & trie);

    /** Grants the work of one more step. What earlier steps left is kept up to a limit, so that a dear step now and then is no harm. */
    void renew();

    /** Whether the text may end here. */
    bool may_end() const { return table_[current_].holds_empty; }

    /** Whether the token, which does not end generation, may come next: `accept` would not throw on it. May throw GrammarTooDear. */
    bool allows(int32_t token, const std::string & piece);

    /** A bit for each token that may come next; tokens that end generation are not looked at. Valid until the next call. May throw. */
    const std::vector<uint64_t> & allowed();

    /** Moves on by a token, or by as much of it as `piece` is. Throws where no parse is left. */
    void accept(int32_t token, const std::string & piece);

  private:
    struct Called {
        std::vector<StackTable::Top> returns; // where the rules of the group return to
        bool                         ends;    // or the text may end
        uint32_t                     group;
        std::vector<uint32_t>        rules;
    };

    /** The tops of a large set by what they match, so that not all are looked at for every code point. */
    struct Index {
        struct Point {
            uint32_t code_point_class;
            uint32_t top;
        };
        std::vector<Point>    points; // tops that match one class and nothing else, rising
        std::vector<uint32_t> others; // tops that match code points otherwise
    };

    void    spend(size_t work);
    Called & call(uint32_t rule);
    void    add_below(Called & called, int32_t below);
    void    seed(StackTable::Top top);
    void    clear_seeds();
    void    expand(StackTable::Top top);
    void    enter_group(size_t slot);
    int32_t close();
    int32_t start();
    int32_t * row_of(int32_t set);
    int32_t next(int32_t set, uint32_t code_point_class);
    const Index * index_of(int32_t set);
    int32_t next_uncached(int32_t set, uint32_t code_point_class);
    int32_t next_by_token(int32_t set, int32_t token);
    int32_t run(int32_t set, const std::vector<uint32_t> & code_points);
    int32_t within_code_point(int32_t set);
    bool    allows_partial(int32_t set, PartialUtf8 partial);
    bool    allows_by_token(int32_t set, int32_t token) const;
    void    walk(std::vector<uint64_t> & bits);
    void    try_continuations(std::vector<uint64_t> & bits);
    void    add_by_token(std::vector<uint64_t> & bits) const;
    size_t  bytes() const;
    void    tidy();

    const GrammarRules    rules_;
    const TokenTrie &     trie_;
    std::vector<uint32_t> class_of_symbol_; // of the trie's symbols
    StackTable            table_;
    int32_t               current_ = StackTable::nothing;
    PartialUtf8           partial_;
    size_t                work_left_ = 0;
    size_t                bytes_before_tidy_;

    // What was found out about sets; forgotten when the table is tidied.
    std::vector<std::vector<int32_t>>                  rows_; // by set: the next set by class, or empty; grows behind the table
    std::unordered_map<uint64_t, int32_t>              next_; // instead of rows, for grammars of very many classes
    std::unordered_map<int32_t, int32_t>               returns_; // where a return to a set leads
    std::unordered_map<int32_t, Index>                 indexes_;
    std::unordered_map<int32_t, std::vector<uint64_t>> masks_;
    size_t                                             n_rows_      = 0;
    size_t                                             index_bytes_ = 0;

    // Of the closure being made. Empty in between, but for room.
    std::vector<StackTable::Top> seeds_;
    std::vector<StackTable::Top> found_;
    bool                         found_end_ = false;
    std::vector<Called>          called_;
    size_t                       n_called_ = 0;
    std::vector<uint32_t>        slot_of_group_; // in called_, plus one
    std::vector<bool>            rule_called_;
    std::vector<uint32_t>        heap_; // groups that wait, the highest first
    std::vector<int32_t>         popped_;
    std::vector<bool>            is_popped_;
    std::vector<uint64_t>        seen_slots_; // open addressing; 0: free
    std::vector<uint32_t>        seen_used_;

    std::vector<uint64_t>        scratch_mask_;
    std::vector<uint32_t>        scratch_code_points_;
};

} // namespace dbs
