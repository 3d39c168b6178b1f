#include "stack_table.h"

#include <algorithm>

namespace dbs {

namespace {

uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
    return hash ^ (hash >> 29);
}

} // namespace

StackTable::StackTable() : slots_(64, -1) {
    intern({}, false);
}

int32_t StackTable::intern(const std::vector<Top> & tops, bool holds_empty) {
    uint64_t hash = mix(tops.size(), holds_empty ? 1 : 2);
    for (const Top & top : tops) {
        hash = mix(hash, (static_cast<uint64_t>(top.position) << 32) | static_cast<uint32_t>(top.below));
    }
    const size_t mask = slots_.size() - 1;
    size_t       slot = hash & mask;
    for (; slots_[slot] >= 0; slot = (slot + 1) & mask) {
        const Set & set = sets_[static_cast<size_t>(slots_[slot])];
        if (set.hash == hash && set.n_tops == tops.size() && set.holds_empty == holds_empty &&
            std::equal(tops.begin(), tops.end(), tops_.begin() + static_cast<ptrdiff_t>(set.begin))) {
            return slots_[slot];
        }
    }
    const int32_t id = static_cast<int32_t>(sets_.size());
    sets_.push_back({ hash, tops_.size(), static_cast<uint32_t>(tops.size()), holds_empty });
    tops_.insert(tops_.end(), tops.begin(), tops.end());
    slots_[slot] = id;
    if (sets_.size() * 2 > slots_.size()) {
        grow();
    }
    return id;
}

void StackTable::grow() {
    std::vector<int32_t> slots(slots_.size() * 2, -1);
    const size_t         mask = slots.size() - 1;
    for (size_t id = 0; id < sets_.size(); id++) {
        size_t slot = sets_[id].hash & mask;
        while (slots[slot] >= 0) {
            slot = (slot + 1) & mask;
        }
        slots[slot] = static_cast<int32_t>(id);
    }
    slots_ = std::move(slots);
}

int32_t StackTable::move_to(StackTable & to, int32_t set) const {
    std::vector<bool> wanted(sets_.size());
    wanted[static_cast<size_t>(set)] = true;
    for (int32_t id = set; id >= 0; id--) {
        if (wanted[static_cast<size_t>(id)]) {
            const View view = (*this)[id];
            for (uint32_t i = 0; i < view.n_tops; i++) {
                wanted[static_cast<size_t>(view.tops[i].below)] = true;
            }
        }
    }
    // From the bottom up: whatever lies below is there already, and in the same order, so that tops stay sorted.
    std::vector<int32_t> moved(sets_.size(), nothing);
    std::vector<Top>     tops;
    for (int32_t id = 0; id <= set; id++) {
        if (wanted[static_cast<size_t>(id)]) {
            const View view = (*this)[id];
            tops.assign(view.tops, view.tops + view.n_tops);
            for (Top & top : tops) {
                top.below = moved[static_cast<size_t>(top.below)];
            }
            moved[static_cast<size_t>(id)] = to.intern(tops, view.holds_empty);
        }
    }
    return moved[static_cast<size_t>(set)];
}

} // namespace dbs
