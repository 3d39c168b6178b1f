#include "grammar_matcher.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace dbs {

namespace {

// Work is counted in units of about ten nanoseconds. What is granted for each step, and what is granted at most at once; a walk over the
// vocabulary's trie is granted on top, twice at once. Grammars of JSON schemas take a few hundred units besides the walk.
constexpr size_t work_of_a_step = size_t{ 1 } << 17;
constexpr size_t max_work       = size_t{ 1 } << 20;

// Bytes of sets, rows and masks. Ordinary grammars stay far below the first; what is reachable from the present place counts for the second.
constexpr size_t bytes_at_ease = size_t{ 8 } << 20;
constexpr size_t max_bytes     = size_t{ 64 } << 20;

// Masks kept: beyond this they are forgotten together.
constexpr size_t max_mask_bytes = size_t{ 1 } << 20;

// Grammars of more classes of code points than this (those that spell out a script's characters) remember what they met instead of whole rows.
constexpr size_t max_row = 1024;

// Sets of more tops than this are indexed.
constexpr uint32_t max_unindexed = 48;

constexpr int32_t unknown = -1;

void set_bit(std::vector<uint64_t> & bits, int32_t token) {
    bits[static_cast<size_t>(token) / 64] |= uint64_t{ 1 } << (token % 64);
}

bool is_code_point(const GrammarRules::Item & item) {
    return item.kind == GrammarRules::Kind::code_point;
}

bool matches_token(const GrammarRules::Item & item, int32_t token) {
    const bool same = item.value == static_cast<uint32_t>(token);
    return (item.kind == GrammarRules::Kind::token && same) || (item.kind == GrammarRules::Kind::other_token && !same);
}

template <typename Point>
auto first_from(const std::vector<Point> & points, uint32_t code_point_class) {
    return std::lower_bound(points.begin(), points.end(), code_point_class,
                            [](const Point & point, uint32_t wanted) { return point.code_point_class < wanted; });
}

void sort_unique(std::vector<StackTable::Top> & tops) {
    std::sort(tops.begin(), tops.end());
    tops.erase(std::unique(tops.begin(), tops.end()), tops.end());
}

} // namespace

GrammarMatcher::GrammarMatcher(GrammarRules rules, const TokenTrie & trie)
    : rules_(std::move(rules)), trie_(trie), bytes_before_tidy_(bytes_at_ease), slot_of_group_(rules_.n_groups), rule_called_(rules_.rules.size()),
      seen_slots_(64) {
    class_of_symbol_.reserve(trie_.symbols.size());
    for (const uint32_t symbol : trie_.symbols) {
        class_of_symbol_.push_back(rules_.class_of(symbol));
    }
    work_left_ = max_work + 2 * trie_.nodes.size();
    current_   = start();
}

void GrammarMatcher::renew() {
    const size_t walk = trie_.nodes.size();
    work_left_        = std::min(work_left_ + work_of_a_step + walk, max_work + 2 * walk);
}

void GrammarMatcher::spend(size_t work) {
    if (work > work_left_) {
        throw GrammarTooDear{};
    }
    work_left_ -= work;
}

// ---- closure: from places in the rules to the terminals that can come next

GrammarMatcher::Called & GrammarMatcher::call(uint32_t rule) {
    const uint32_t group = rules_.rules[rule].group;
    if (slot_of_group_[group] == 0) {
        if (n_called_ == called_.size()) {
            called_.emplace_back();
        }
        Called & fresh = called_[n_called_++];
        fresh.returns.clear();
        fresh.rules.clear();
        fresh.ends            = false;
        fresh.group           = group;
        slot_of_group_[group] = static_cast<uint32_t>(n_called_);
        heap_.push_back(group);
        std::push_heap(heap_.begin(), heap_.end());
    }
    Called & called = called_[slot_of_group_[group] - 1];
    if (!rule_called_[rule]) {
        rule_called_[rule] = true;
        called.rules.push_back(rule);
    }
    return called;
}

// What is called last returns to where its caller would, so that repetition by recursion does not pile up.
void GrammarMatcher::add_below(Called & called, int32_t below) {
    const StackTable::View view = table_[below];
    spend(view.n_tops);
    called.returns.insert(called.returns.end(), view.tops, view.tops + view.n_tops);
    called.ends = called.ends || view.holds_empty;
}

void GrammarMatcher::seed(StackTable::Top top) {
    spend(1);
    const uint64_t key  = (static_cast<uint64_t>(top.position) << 32) | static_cast<uint32_t>(top.below); // never 0: nothing lies on `nothing`
    const size_t   mask = seen_slots_.size() - 1;
    size_t         slot = ((key * 0x9E3779B97F4A7C15ull) >> 40) & mask;
    for (; seen_slots_[slot] != 0; slot = (slot + 1) & mask) {
        if (seen_slots_[slot] == key) {
            return;
        }
    }
    seen_slots_[slot] = key;
    seen_used_.push_back(static_cast<uint32_t>(slot));
    seeds_.push_back(top);
    if (seen_used_.size() * 2 > seen_slots_.size()) {
        std::fill(seen_slots_.begin(), seen_slots_.end(), 0);
        seen_slots_.resize(seen_slots_.size() * 2);
        seen_used_.clear();
        // Every one that was seen is still listed: seeds are not taken off before the closure is done.
        std::vector<StackTable::Top> again;
        again.swap(seeds_);
        for (const StackTable::Top & one : again) {
            seed(one);
        }
    }
}

// A place within a rule whose beginning lies behind.
void GrammarMatcher::expand(StackTable::Top top) {
    spend(1);
    const GrammarRules::Item & item = rules_.items[top.position];
    if (item.kind == GrammarRules::Kind::end) {
        if (is_popped_[static_cast<size_t>(top.below)]) {
            return;
        }
        is_popped_[static_cast<size_t>(top.below)] = true;
        popped_.push_back(top.below);
        const StackTable::View view = table_[top.below];
        found_end_                  = found_end_ || view.holds_empty;
        for (uint32_t i = 0; i < view.n_tops; i++) {
            seed(view.tops[i]);
        }
        return;
    }
    if (item.kind != GrammarRules::Kind::rule) {
        found_.push_back(top);
        return;
    }
    const StackTable::Top then   = { top.position + 1, top.below };
    Called &              called = call(item.value);
    if (rules_.items[then.position].kind == GrammarRules::Kind::end) {
        add_below(called, top.below);
    } else {
        called.returns.push_back(then);
    }
    // A rule that may match nothing is passed over here, so its own empty alternates need not return.
    if (rules_.rules[item.value].nullable) {
        seed(then);
    }
}

// All callers of the group are known. Within it calls are last calls only, so all its rules return to the same places.
void GrammarMatcher::enter_group(size_t slot) {
    std::vector<StackTable::Top> returns = std::move(called_[slot].returns);
    const bool                   ends    = called_[slot].ends;
    const uint32_t               group   = called_[slot].group;
    spend(returns.size());
    sort_unique(returns);
    const int32_t below = table_.intern(returns, ends);
    for (size_t i = 0; i < called_[slot].rules.size(); i++) {
        const GrammarRules::Rule & rule = rules_.rules[called_[slot].rules[i]];
        for (uint32_t alternate = rule.alternates_begin; alternate < rule.alternates_end; alternate++) {
            for (uint32_t at = rules_.alternates[alternate];; at++) {
                spend(1);
                const GrammarRules::Item & item = rules_.items[at];
                if (item.kind == GrammarRules::Kind::end) {
                    break;
                }
                if (item.kind != GrammarRules::Kind::rule) {
                    found_.push_back({ at, below });
                    break;
                }
                Called & called = call(item.value);
                if (called.group != group) {
                    if (rules_.items[at + 1].kind == GrammarRules::Kind::end) {
                        add_below(called, below);
                    } else {
                        called.returns.push_back({ at + 1, below });
                    }
                }
                if (!rules_.rules[item.value].nullable) {
                    break;
                }
            }
        }
    }
    returns.clear();
    called_[slot].returns = std::move(returns); // its room
}

void GrammarMatcher::clear_seeds() {
    for (const uint32_t slot : seen_used_) {
        seen_slots_[slot] = 0;
    }
    seen_used_.clear();
    seeds_.clear();
}

int32_t GrammarMatcher::close() {
    is_popped_.resize(table_.size());
    for (size_t i = 0; i < seeds_.size(); i++) {
        expand(seeds_[i]);
    }
    while (!heap_.empty()) {
        std::pop_heap(heap_.begin(), heap_.end());
        const uint32_t group = heap_.back();
        heap_.pop_back();
        enter_group(slot_of_group_[group] - 1);
    }
    spend(found_.size());
    sort_unique(found_);
    const int32_t set = table_.intern(found_, found_end_);

    for (size_t slot = 0; slot < n_called_; slot++) {
        slot_of_group_[called_[slot].group] = 0;
        for (const uint32_t rule : called_[slot].rules) {
            rule_called_[rule] = false;
        }
    }
    n_called_ = 0;
    for (const int32_t below : popped_) {
        is_popped_[static_cast<size_t>(below)] = false;
    }
    popped_.clear();
    clear_seeds();
    found_.clear();
    found_end_ = false;
    return set;
}

int32_t GrammarMatcher::start() {
    call(rules_.root).ends = true;
    found_end_             = rules_.rules[rules_.root].nullable;
    return close();
}

// ---- steps

const GrammarMatcher::Index * GrammarMatcher::index_of(int32_t set) {
    const StackTable::View view = table_[set];
    if (view.n_tops <= max_unindexed) {
        return nullptr;
    }
    const auto found = indexes_.find(set);
    if (found != indexes_.end()) {
        return &found->second;
    }
    spend(2 * view.n_tops);
    Index & index = indexes_[set];
    for (uint32_t i = 0; i < view.n_tops; i++) {
        const GrammarRules::Item & item = rules_.items[view.tops[i].position];
        if (!is_code_point(item)) {
            continue;
        }
        // Classes are cut where ranges begin and end, so a range within one class is that class.
        if (!item.inverted && item.ranges_end == item.value + 1) {
            const GrammarRules::Range & range            = rules_.ranges[item.value];
            const uint32_t              code_point_class = rules_.class_of(range.low);
            if (code_point_class == rules_.class_of(range.high)) {
                index.points.push_back({ code_point_class, i });
                continue;
            }
        }
        index.others.push_back(i);
    }
    std::sort(index.points.begin(), index.points.end(), [](const Index::Point & a, const Index::Point & b) {
        return a.code_point_class != b.code_point_class ? a.code_point_class < b.code_point_class : a.top < b.top;
    });
    index_bytes_ += index.points.size() * sizeof(Index::Point) + index.others.size() * sizeof(uint32_t);
    return &index;
}

int32_t GrammarMatcher::next_uncached(int32_t set, uint32_t code_point_class) {
    const uint32_t         code_point = rules_.class_starts[code_point_class];
    const StackTable::View view       = table_[set];
    const auto             try_top    = [&](uint32_t i) {
        spend(1);
        const GrammarRules::Item & item = rules_.items[view.tops[i].position];
        if (is_code_point(item) && rules_.matches(item, code_point)) {
            seed({ view.tops[i].position + 1, view.tops[i].below });
        }
    };
    if (const Index * index = index_of(set)) {
        for (auto point = first_from(index->points, code_point_class); point != index->points.end() && point->code_point_class == code_point_class; ++point) {
            try_top(point->top);
        }
        std::for_each(index->others.begin(), index->others.end(), try_top);
    } else {
        for (uint32_t i = 0; i < view.n_tops; i++) {
            try_top(i);
        }
    }
    if (seeds_.size() != 1 || rules_.items[seeds_[0].position].kind != GrammarRules::Kind::end) {
        return seeds_.empty() ? StackTable::nothing : close();
    }
    // At the end of an alternate only what lies below counts: the same for each of a choice of a thousand words.
    const int32_t below = seeds_[0].below;
    const auto    known = returns_.find(below);
    if (known != returns_.end()) {
        clear_seeds();
        return known->second;
    }
    return returns_[below] = close();
}

int32_t * GrammarMatcher::row_of(int32_t set) {
    const size_t n_classes = rules_.class_starts.size();
    if (n_classes > max_row) {
        return nullptr;
    }
    if (rows_.size() <= static_cast<size_t>(set)) {
        rows_.resize(table_.size());
    }
    std::vector<int32_t> & row = rows_[static_cast<size_t>(set)];
    if (row.empty()) {
        spend(n_classes / 2 + 1); // what rows take is held in check by it
        row.assign(n_classes, unknown);
        n_rows_++;
    }
    return row.data();
}

int32_t GrammarMatcher::next(int32_t set, uint32_t code_point_class) {
    if (set == StackTable::nothing) {
        return set;
    }
    if (int32_t * row = row_of(set)) {
        if (row[code_point_class] == unknown) {
            row[code_point_class] = next_uncached(set, code_point_class);
        }
        return row[code_point_class];
    }
    const uint64_t key   = (static_cast<uint64_t>(set) << 32) | code_point_class;
    const auto     found = next_.find(key);
    if (found != next_.end()) {
        return found->second;
    }
    return next_[key] = next_uncached(set, code_point_class);
}

int32_t GrammarMatcher::next_by_token(int32_t set, int32_t token) {
    const StackTable::View view = table_[set];
    for (uint32_t i = 0; i < view.n_tops; i++) {
        if (matches_token(rules_.items[view.tops[i].position], token)) {
            seed({ view.tops[i].position + 1, view.tops[i].below });
        }
    }
    return seeds_.empty() ? StackTable::nothing : close();
}

int32_t GrammarMatcher::run(int32_t set, const std::vector<uint32_t> & code_points) {
    for (const uint32_t code_point : code_points) {
        spend(1);
        set = next(set, rules_.class_of(code_point));
    }
    return set;
}

// A text that has begun a code point can neither end nor go on with a token of the grammar.
int32_t GrammarMatcher::within_code_point(int32_t set) {
    const StackTable::View       view = table_[set];
    std::vector<StackTable::Top> kept;
    std::copy_if(view.tops, view.tops + view.n_tops, std::back_inserter(kept),
                 [&](const StackTable::Top & top) { return is_code_point(rules_.items[top.position]); });
    return table_.intern(kept, false);
}

void GrammarMatcher::accept(int32_t token, const std::string & piece) {
    scratch_code_points_.clear();
    const PartialUtf8 partial  = decode_piece(piece.data(), piece.size(), partial_, scratch_code_points_);
    const int32_t     by_token = next_by_token(current_, token);
    const int32_t     by_text  = scratch_code_points_.empty() ? within_code_point(current_) : run(current_, scratch_code_points_);
    if (by_token == StackTable::nothing || by_text == StackTable::nothing) {
        current_ = std::max(by_token, by_text);
    } else {
        const StackTable::View       a = table_[by_token];
        const StackTable::View       b = table_[by_text];
        std::vector<StackTable::Top> both;
        std::set_union(a.tops, a.tops + a.n_tops, b.tops, b.tops + b.n_tops, std::back_inserter(both));
        current_ = table_.intern(both, a.holds_empty || b.holds_empty);
    }
    partial_ = partial;
    if (current_ == StackTable::nothing) {
        throw std::runtime_error("the grammar does not allow this token");
    }
    if (bytes() > bytes_before_tidy_) {
        tidy();
    }
}

size_t GrammarMatcher::bytes() const {
    constexpr size_t bytes_of_a_node = 32; // of the standard library's maps, about
    return table_.bytes() + rows_.size() * sizeof(rows_[0]) + n_rows_ * rules_.class_starts.size() * sizeof(int32_t) +
           (next_.size() + returns_.size()) * bytes_of_a_node + index_bytes_;
}

void GrammarMatcher::tidy() {
    StackTable    fresh;
    const int32_t moved = table_.move_to(fresh, current_);
    table_              = std::move(fresh);
    current_            = moved;
    rows_.clear();
    n_rows_ = 0;
    next_.clear();
    returns_.clear();
    indexes_.clear();
    index_bytes_ = 0;
    masks_.clear();
    is_popped_.clear();
    if (table_.bytes() > max_bytes) {
        throw GrammarTooDear{};
    }
    bytes_before_tidy_ = std::max(bytes_at_ease, 2 * table_.bytes());
}

// ---- what may come next

bool GrammarMatcher::allows_partial(int32_t set, PartialUtf8 partial) {
    // A sequence of two bytes whose lead has no bits beyond ASCII's can only be overlong.
    if (partial.n_remain < 0 || (partial.n_remain == 1 && partial.value < 2)) {
        return false;
    }
    uint32_t       low  = partial.value << (partial.n_remain * 6);
    const uint32_t high = low | ((uint32_t{ 1 } << (partial.n_remain * 6)) - 1);
    if (low == 0) {
        low = partial.n_remain == 2 ? 1 << 11 : partial.n_remain == 3 ? 1 << 16 : 0;
    }
    const StackTable::View view    = table_[set];
    const auto             touches = [&](uint32_t i) {
        spend(1);
        const GrammarRules::Item & item = rules_.items[view.tops[i].position];
        return is_code_point(item) && rules_.touches(item, low, high);
    };
    if (const Index * index = index_of(set)) {
        const auto point = first_from(index->points, rules_.class_of(low));
        return (point != index->points.end() && point->code_point_class <= rules_.class_of(high)) ||
               std::any_of(index->others.begin(), index->others.end(), touches);
    }
    for (uint32_t i = 0; i < view.n_tops; i++) {
        if (touches(i)) {
            return true;
        }
    }
    return false;
}

bool GrammarMatcher::allows_by_token(int32_t set, int32_t token) const {
    const StackTable::View view = table_[set];
    return std::any_of(view.tops, view.tops + view.n_tops, [&](const StackTable::Top & top) { return matches_token(rules_.items[top.position], token); });
}

bool GrammarMatcher::allows(int32_t token, const std::string & piece) {
    if (piece.empty() || piece[0] == '\0') {
        return false;
    }
    scratch_code_points_.clear();
    const PartialUtf8 partial = decode_piece(piece.data(), piece.size(), partial_, scratch_code_points_);
    if (partial.n_remain < 0) {
        return false;
    }
    if (!scratch_code_points_.empty() && allows_by_token(current_, token)) {
        return true;
    }
    const int32_t after = run(current_, scratch_code_points_);
    return after != StackTable::nothing && (partial.n_remain == 0 || allows_partial(after, partial));
}

const std::vector<uint64_t> & GrammarMatcher::allowed() {
    const bool within = partial_.n_remain > 0;
    if (!within) {
        const auto known = masks_.find(current_);
        if (known != masks_.end()) {
            return known->second;
        }
    }
    scratch_mask_.assign(trie_.texts.size(), 0);
    if (within) {
        try_continuations(scratch_mask_);
        return scratch_mask_;
    }
    walk(scratch_mask_);
    add_by_token(scratch_mask_);
    if ((masks_.size() + 1) * scratch_mask_.size() * sizeof(uint64_t) > max_mask_bytes) {
        masks_.clear();
    }
    return masks_[current_] = scratch_mask_;
}

void GrammarMatcher::walk(std::vector<uint64_t> & bits) {
    struct Level {
        int32_t         set;
        const int32_t * row; // of the set, or NULL; rows stay where they are while others are added
    };
    std::vector<Level> levels(trie_.depth + 1);
    const auto         enter = [&](size_t at, int32_t set) {
        const TokenTrie::Node & node = trie_.nodes[at];
        const TokenTrie::Node & then = trie_.nodes[at + 1];
        for (uint32_t i = node.first_token; i < then.first_token; i++) {
            set_bit(bits, trie_.tokens[i]);
        }
        for (uint32_t i = node.first_partial; i < then.first_partial; i++) {
            if (allows_partial(set, trie_.partials[i].partial)) {
                set_bit(bits, trie_.partials[i].token);
            }
        }
        if (node.end > at + 1) {
            levels[node.depth] = { set, row_of(set) };
        }
    };
    enter(0, current_);
    const size_t n_nodes = trie_.nodes.size() - 1;
    for (size_t at = 1; at < n_nodes;) {
        spend(1);
        const TokenTrie::Node & node             = trie_.nodes[at];
        const Level &           above            = levels[node.depth - 1];
        const uint32_t          code_point_class = class_of_symbol_[node.symbol];
        int32_t                 set              = above.row != nullptr ? above.row[code_point_class] : unknown;
        if (set == unknown) {
            set = next(above.set, code_point_class);
        }
        if (set == StackTable::nothing) {
            at = node.end;
            continue;
        }
        enter(at, set);
        at++;
    }
}

// Within a code point only a few tokens can go on; a trie of their own would save little.
void GrammarMatcher::try_continuations(std::vector<uint64_t> & bits) {
    for (const TokenTrie::Continuation & continuation : trie_.continuations) {
        if (allows(continuation.token, continuation.piece)) {
            set_bit(bits, continuation.token);
        }
    }
}

void GrammarMatcher::add_by_token(std::vector<uint64_t> & bits) const {
    const auto is_text = [&](uint32_t token) {
        return token < static_cast<uint32_t>(trie_.n_tokens) && (trie_.texts[token / 64] >> (token % 64) & 1) != 0;
    };
    const StackTable::View view = table_[current_];
    for (uint32_t i = 0; i < view.n_tops; i++) {
        const GrammarRules::Item & item = rules_.items[view.tops[i].position];
        if (item.kind == GrammarRules::Kind::token && is_text(item.value)) {
            set_bit(bits, static_cast<int32_t>(item.value));
        } else if (item.kind == GrammarRules::Kind::other_token) {
            const bool itself = is_text(item.value) && (bits[item.value / 64] >> (item.value % 64) & 1) != 0;
            for (size_t word = 0; word < bits.size(); word++) {
                bits[word] |= trie_.texts[word];
            }
            if (is_text(item.value) && !itself) {
                bits[item.value / 64] &= ~(uint64_t{ 1 } << (item.value % 64));
            }
        }
    }
}

} // namespace dbs
