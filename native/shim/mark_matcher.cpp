#include "mark_matcher.h"

namespace dbs {

MarkMatcher::MarkMatcher(const std::vector<std::string> & marks) : nodes_(1) {
    for (const std::string & mark : marks) {
        uint32_t node = 0;
        for (const char byte : mark) {
            uint32_t next = child(node, byte);
            if (next == 0) {
                next = static_cast<uint32_t>(nodes_.size());
                nodes_.emplace_back();
                nodes_[next].depth = nodes_[node].depth + 1;
                nodes_[node].next.emplace_back(byte, next);
            }
            node = next;
        }
        if (node != 0) {
            begins_[static_cast<unsigned char>(mark.front())] = true;
            nodes_[node].match                                = mark.size();
        }
    }
    // Breadth first: a node's shorter ends lie nearer to the root.
    std::vector<uint32_t> order = { 0 };
    for (size_t i = 0; i < order.size(); i++) {
        const uint32_t node = order[i];
        for (const auto & [byte, next] : nodes_[node].next) {
            uint32_t shorter = nodes_[node].shorter;
            while (shorter != 0 && child(shorter, byte) == 0) {
                shorter = nodes_[shorter].shorter;
            }
            nodes_[next].shorter = node == 0 ? 0 : child(shorter, byte);
            if (nodes_[next].match == 0) {
                nodes_[next].match = nodes_[nodes_[next].shorter].match;
            }
            order.push_back(next);
        }
    }
}

uint32_t MarkMatcher::child(uint32_t node, char byte) const {
    for (const auto & [label, next] : nodes_[node].next) {
        if (label == byte) {
            return next;
        }
    }
    return 0;
}

size_t MarkMatcher::step(char byte) {
    while (at_ != 0 && child(at_, byte) == 0) {
        at_ = nodes_[at_].shorter;
    }
    at_ = child(at_, byte);
    return nodes_[at_].match;
}

} // namespace dbs
