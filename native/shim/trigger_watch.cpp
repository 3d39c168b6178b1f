#include "trigger_watch.h"

#include <algorithm>
#include <cctype>

namespace dbs {

namespace {

// Bytes over which an expression may match; upstream's match a role, a channel's name and a few spaces.
constexpr size_t reach = 256;

/** The characters that every match of an expression begins with. */
std::string beginning_of(const std::string & expression) {
    const std::string special = "^$.*+?()[]{}|";
    std::string word;
    for (size_t at = 0; at < expression.size(); at++) {
        char next = expression[at];
        if (next == '\\') {
            at++;
            if (at == expression.size() || std::isalnum(static_cast<unsigned char>(expression[at])) != 0) {
                break; // a class, or a place
            }
            next = expression[at];
        } else if (special.find(next) != std::string::npos) {
            break;
        }
        if (at + 1 < expression.size() && std::string("*?{").find(expression[at + 1]) != std::string::npos) {
            break; // it may be missing
        }
        word += next;
    }
    return word;
}

/** Whether an expression has a bar outside of groups and classes that is not escaped. */
bool has_alternatives(const std::string & expression) {
    int depth = 0;
    for (size_t at = 0; at < expression.size(); at++) {
        const char c = expression[at];
        if (c == '\\') {
            at++;
        } else if (c == '(' || c == '[') {
            depth++;
        } else if (c == ')' || c == ']') {
            depth--;
        } else if (c == '|' && depth <= 0) {
            return true;
        }
    }
    return false;
}

std::vector<std::string> words_of(const std::vector<Trigger> & triggers) {
    std::vector<std::string> words;
    for (const Trigger & trigger : triggers) {
        if (trigger.is_word) {
            words.push_back(trigger.text);
        }
    }
    return words;
}

} // namespace

TriggerWatch::TriggerWatch(const std::vector<Trigger> & triggers) : words_(words_of(triggers)) {
    for (const Trigger & trigger : triggers) {
        if (trigger.is_word) {
            longest_word_ = std::max(longest_word_, trigger.text.size());
            continue;
        }
        const bool        is_one          = !has_alternatives(trigger.text);
        const std::string word            = is_one ? beginning_of(trigger.text) : std::string();
        const bool        is_at_beginning = is_one && !trigger.text.empty() && trigger.text.front() == '^';
        patterns_.push_back({ std::regex(trigger.text), is_at_beginning, !word.empty(), MarkMatcher({ word }) });
    }
}

std::vector<TriggerWatch::Taken> TriggerWatch::add(int32_t token, const std::string & piece) {
    const size_t begin = offset_ + tail_.size();
    size_t       start = find_word(piece);
    tail_ += piece;
    tokens_.push_back({ token, begin, begin + piece.size() });
    for (size_t i = 0; i < patterns_.size() && start == SIZE_MAX; i++) {
        start = find(patterns_[i]);
    }
    if (start != SIZE_MAX) {
        return taken_from(start);
    }
    forget_the_distant();
    return {};
}

/** Where in the stream the first word begins that the piece completes; SIZE_MAX for none. Notes where expressions may begin. */
size_t TriggerWatch::find_word(const std::string & piece) {
    const size_t begin = offset_ + tail_.size();
    for (size_t i = 0; i < piece.size(); i++) {
        const size_t word = words_.add(piece[i]);
        if (word > 0) {
            return begin + i + 1 - word;
        }
        for (Pattern & pattern : patterns_) {
            const size_t size = pattern.word.add(piece[i]);
            if (size > 0) {
                pattern.since = begin + i + 1 - size;
            }
        }
    }
    return SIZE_MAX;
}

size_t TriggerWatch::find(Pattern & pattern) const {
    const size_t end = offset_ + tail_.size();
    size_t       from;
    auto         flags = std::regex_constants::match_default;
    if (pattern.is_at_beginning) {
        if (end > reach) {
            return SIZE_MAX;
        }
        from = 0;
    } else if (pattern.has_word) {
        if (pattern.since == SIZE_MAX || end - pattern.since > reach) {
            pattern.since = SIZE_MAX;
            return SIZE_MAX;
        }
        from  = pattern.since;
        flags = std::regex_constants::match_continuous;
    } else {
        from = end - std::min(end - offset_, reach);
    }
    if (from > 0) {
        flags |= std::regex_constants::match_not_bol;
    }
    std::match_results<std::string::const_iterator> match;
    const auto first = tail_.begin() + static_cast<std::ptrdiff_t>(from - offset_);
    if (!std::regex_search(first, tail_.end(), match, pattern.regex, flags)) {
        return SIZE_MAX;
    }
    for (size_t group = 1; group < match.size(); group++) {
        if (match.length(group) > 0) {
            return from + static_cast<size_t>(match.position(group));
        }
    }
    return from + static_cast<size_t>(match.position(0));
}

/** The tokens from a place in the stream on. The place may lie within a token: the grammar is given only the rest of it. */
std::vector<TriggerWatch::Taken> TriggerWatch::taken_from(size_t start) const {
    std::vector<Taken> taken;
    for (const Buffered & one : tokens_) {
        if (one.end > start) {
            const size_t begin = std::max(one.begin, start);
            taken.push_back({ one.token, tail_.substr(begin - offset_, one.end - begin) });
        }
    }
    return taken;
}

/** Lets go of what no trigger can reach back to; seldom, so that it costs little. */
void TriggerWatch::forget_the_distant() {
    const size_t kept = std::max(reach, longest_word_) + 1;
    if (tail_.size() < 4 * kept) {
        return;
    }
    const size_t forgotten = tail_.size() - kept;
    tail_.erase(0, forgotten);
    offset_ += forgotten;
    tokens_.erase(tokens_.begin(), std::find_if(tokens_.begin(), tokens_.end(), [&](const Buffered & one) { return one.end > offset_; }));
    for (Buffered & one : tokens_) {
        one.begin = std::max(one.begin, offset_);
    }
}

} // namespace dbs
