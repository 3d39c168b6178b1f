#include "special_tokens.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "vocab.h"

namespace dbs {

namespace {

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/** A token's text as upstream looks for it. llama.h gives it as a C string; the piece of a special token is the same, zeros included. */
std::string text_of(const llama_vocab * vocab, int32_t token) {
    const char * text  = llama_vocab_get_text(vocab, token);
    std::string  piece = piece_of(vocab, token);
    return std::strlen(text) < piece.size() && piece.compare(0, std::strlen(text) + 1, text, std::strlen(text) + 1) == 0 ? piece : std::string(text);
}

} // namespace

// ---- finding texts

SpecialTokens::Finder::Finder() : nodes_(1) {}

uint32_t SpecialTokens::Finder::child(uint32_t node, char byte) const {
    for (const auto & [label, next] : nodes_[node].next) {
        if (label == byte) {
            return next;
        }
    }
    return 0;
}

void SpecialTokens::Finder::add(const std::string & text, uint32_t special) {
    uint32_t node = 0;
    for (const char byte : text) {
        uint32_t next = child(node, byte);
        if (next == 0) {
            next = static_cast<uint32_t>(nodes_.size());
            nodes_.emplace_back();
            nodes_[node].next.emplace_back(byte, next);
        }
        node = next;
    }
    if (node != 0) {
        begins_[static_cast<unsigned char>(text.front())] = true;
        nodes_[node].special                              = std::min(nodes_[node].special, special);
    }
}

void SpecialTokens::Finder::finish() {
    // Breadth first: a node's shorter ends lie nearer to the root.
    std::vector<uint32_t> order = { 0 };
    for (size_t i = 0; i < order.size(); i++) {
        const uint32_t node = order[i];
        for (const auto & [byte, next] : nodes_[node].next) {
            uint32_t shorter = nodes_[node].shorter;
            while (shorter != 0 && child(shorter, byte) == 0) {
                shorter = nodes_[shorter].shorter;
            }
            nodes_[next].shorter  = node == 0 ? 0 : child(shorter, byte);
            nodes_[next].next_end = first_end(nodes_[next].shorter);
            order.push_back(next);
        }
    }
}

uint32_t SpecialTokens::Finder::step(uint32_t node, char byte) const {
    if (node == 0 && !begins_[static_cast<unsigned char>(byte)]) {
        return 0;
    }
    while (node != 0) {
        const uint32_t next = child(node, byte);
        if (next != 0) {
            return next;
        }
        node = nodes_[node].shorter;
    }
    return child(0, byte);
}

// ---- the vocabulary's tokens

SpecialTokens::SpecialTokens(const llama_vocab * vocab) {
    std::vector<Special> found;
    const int32_t        n_tokens = llama_vocab_n_tokens(vocab);
    for (int32_t token = 0; token < n_tokens; token++) {
        const int32_t attributes = llama_vocab_get_attr(vocab, token);
        if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED | LLAMA_TOKEN_ATTR_UNKNOWN)) != 0) {
            found.push_back({ token, text_of(vocab, token), (attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN)) == 0,
                              (attributes & LLAMA_TOKEN_ATTR_LSTRIP) != 0, (attributes & LLAMA_TOKEN_ATTR_RSTRIP) != 0 });
        }
    }
    // The order of llama-vocab.cpp, by the same algorithm on the same sequence: where two of one length overlap in a text, it decides.
    std::vector<size_t> order(found.size());
    for (size_t i = 0; i < order.size(); i++) {
        order[i] = i;
    }
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return found[a].text.size() > found[b].text.size(); });
    bool strips = false;
    bool spaces = false;
    for (const size_t i : order) {
        const Special & special = found[i];
        if (special.text.empty()) {
            continue; // upstream would look for it for ever
        }
        const auto rank = static_cast<uint32_t>(specials_.size());
        all_.add(special.text, rank);
        if (special.user_defined) {
            user_defined_.add(special.text, rank);
        }
        strips = strips || special.strips_left || special.strips_right;
        spaces = spaces || is_space(special.text.front()) || is_space(special.text.back());
        specials_.push_back(special);
    }
    is_of_one_piece_ = strips && spaces;
    all_.finish();
    user_defined_.finish();
}

/** A place where texts of special tokens end. */
struct SpecialTokens::Hit {
    size_t   end;
    uint32_t node; // of the longest that has not been looked at
};

/** The search in one text. */
class SpecialTokens::Search {
  public:
    Search(const SpecialTokens & tokens, const Finder & finder, const std::string & text, const Ranges & plain)
        : specials_(tokens.specials_), finder_(finder), text_(text), plain_(plain), is_of_one_piece_(tokens.is_of_one_piece_) {}

    std::vector<Part> parts() {
        uint32_t node = 0;
        for (size_t i = 0; i < text_.size(); i++) {
            node               = finder_.step(node, text_[i]);
            const uint32_t end = finder_.first_end(node);
            if (end != 0) {
                hits_.push_back({ i + 1, end });
            }
        }
        if (!hits_.empty()) {
            taken_.resize(text_.size());
            for (const size_t begin : clusters()) {
                resolve(begin);
            }
        }
        std::vector<Part> all;
        size_t            at  = 0;
        const auto        raw = [&](size_t begin, size_t end) {
            while (begin < end && taken_[begin]) {
                begin++;
            }
            while (begin < end && taken_[end - 1]) {
                end--;
            }
            if (begin < end) {
                all.push_back({ begin, end, -1 });
            }
        };
        if (hits_.empty()) {
            taken_.assign(text_.size(), false);
        }
        for (const Part & part : found_) {
            raw(at, part.begin);
            all.push_back(part);
            at = part.end;
        }
        raw(at, text_.size());
        return all;
    }

  private:
    size_t length_of(uint32_t node) const { return specials_[finder_.special(node)].text.size(); }

    /** Parts the hits where nothing overlaps; the first hit of each cluster, rising. */
    std::vector<size_t> clusters() {
        std::vector<std::pair<size_t, size_t>> open; // first hit, and where its text begins
        for (size_t i = 0; i < hits_.size(); i++) {
            size_t first = i;
            size_t begin = hits_[i].end - length_of(hits_[i].node);
            while (!open.empty() && (is_of_one_piece_ || hits_[first - 1].end > begin)) {
                first = open.back().first;
                begin = std::min(begin, open.back().second);
                open.pop_back();
            }
            open.emplace_back(first, begin);
        }
        std::vector<size_t> begins;
        for (const auto & [first, begin] : open) {
            begins.push_back(first);
        }
        ends_ = begins;
        ends_.push_back(hits_.size());
        cluster_ = 0;
        return begins;
    }

    /** Takes what upstream would take of a cluster: longer texts first, those of one length in the vocabulary's order, each from the left. */
    void resolve(size_t first) {
        const size_t last = ends_[++cluster_];
        const size_t from = found_.size();
        size_t       length = 0;
        for (size_t i = first; i < last; i++) {
            length = std::max(length, length_of(hits_[i].node));
        }
        std::vector<std::pair<uint32_t, size_t>> candidates; // special, end
        while (length > 0) {
            candidates.clear();
            bool   is_sorted = true;
            size_t shorter   = 0;
            for (size_t i = first; i < last; i++) {
                Hit & hit = hits_[i];
                if (hit.node != 0 && length_of(hit.node) == length) {
                    candidates.emplace_back(finder_.special(hit.node), hit.end);
                    is_sorted = is_sorted && candidates.back().first >= candidates[candidates.size() > 1 ? candidates.size() - 2 : 0].first;
                    hit.node  = finder_.next_end(hit.node);
                }
                if (hit.node != 0) {
                    shorter = std::max(shorter, length_of(hit.node));
                }
            }
            if (!is_sorted) {
                std::sort(candidates.begin(), candidates.end());
            }
            for (const auto & [special, end] : candidates) {
                take(specials_[special], end - length, end);
            }
            length = shorter;
        }
        std::sort(found_.begin() + static_cast<std::ptrdiff_t>(from), found_.end(), [](const Part & a, const Part & b) { return a.begin < b.begin; });
    }

    void take(const Special & special, size_t begin, size_t end) {
        // What has been taken is at least as long, or lies beside such: it cannot lie inside without a border's being taken too.
        if (taken_[begin] || taken_[end - 1] || (!special.user_defined && touches_plain(begin, end))) {
            return;
        }
        std::fill(taken_.begin() + static_cast<std::ptrdiff_t>(begin), taken_.begin() + static_cast<std::ptrdiff_t>(end), true);
        found_.push_back({ begin, end, special.token });
        if (special.strips_left) {
            for (size_t at = begin; at > 0 && !taken_[at - 1] && is_space(text_[at - 1]); at--) {
                taken_[at - 1] = true;
            }
        }
        if (special.strips_right) {
            for (size_t at = end; at < text_.size() && !taken_[at] && is_space(text_[at]); at++) {
                taken_[at] = true;
            }
        }
    }

    bool touches_plain(size_t begin, size_t end) const {
        const auto after = std::upper_bound(plain_.begin(), plain_.end(), begin, [](size_t at, const auto & range) { return at < range.second; });
        return after != plain_.end() && after->first < end;
    }

    const std::vector<Special> & specials_;
    const Finder &               finder_;
    const std::string &          text_;
    const Ranges &               plain_;
    const bool                   is_of_one_piece_;
    std::vector<Hit>             hits_;
    std::vector<size_t>          ends_; // first hits of the clusters, and the end of all
    size_t                       cluster_ = 0;
    std::vector<bool>            taken_; // bytes that are a token's, or stripped beside one
    std::vector<Part>            found_;
};

std::vector<SpecialTokens::Part> SpecialTokens::parts(const std::string & text, bool parse_special, const Ranges & plain) const {
    return Search(*this, parse_special ? all_ : user_defined_, text, plain).parts();
}

std::shared_ptr<const SpecialTokens> special_tokens(const llama_vocab * vocab) {
    static std::mutex                                                        mutex;
    static std::map<const llama_vocab *, std::weak_ptr<const SpecialTokens>> known; // guarded by mutex
    std::lock_guard<std::mutex>                                              lock(mutex);
    // Another model may have been given a closed one's address: what nobody holds any more is forgotten.
    for (auto it = known.begin(); it != known.end();) {
        it = it->second.expired() ? known.erase(it) : std::next(it);
    }
    const auto                           it    = known.find(vocab);
    std::shared_ptr<const SpecialTokens> found = it != known.end() ? it->second.lock() : nullptr;
    if (found == nullptr) {
        found        = std::make_shared<const SpecialTokens>(vocab);
        known[vocab] = found;
    }
    return found;
}

} // namespace dbs
