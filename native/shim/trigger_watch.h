// What wakes a lazy grammar.
#pragma once

#include <cstdint>
#include <regex>
#include <string>
#include <vector>

#include "mark_matcher.h"

namespace dbs {

/** A word, or a regular expression whose first matching group, if it has any, begins the grammar's text. */
struct Trigger {
    bool        is_word;
    std::string text;
};

/**
 * Watches an answer for triggers. A token costs the same however long the answer is: words, and the words that expressions begin with, are
 * found by a MarkMatcher; an expression is tried only behind its word, over what came since, for a bounded number of bytes. One that must match from
 * the answer's beginning is tried as long as the answer is short; one that begins with no word, over the last bytes.
 *
 * One thread at a time.
 */
class TriggerWatch {
  public:
    /** A token and as much of its text as the grammar is given. */
    struct Taken {
        int32_t     token;
        std::string text;
    };

    /** Throws on an expression that is none. */
    explicit TriggerWatch(const std::vector<Trigger> & triggers);

    /** Adds a token; returns what the grammar is to be given when that has completed a trigger, otherwise nothing. */
    std::vector<Taken> add(int32_t token, const std::string & piece);

  private:
    struct Pattern {
        std::regex  regex;
        bool        is_at_beginning; // of the answer, or nowhere
        bool        has_word;        // that every match begins with
        MarkMatcher word;
        size_t      since = SIZE_MAX; // where in the stream that word began last; SIZE_MAX: nowhere near
    };

    struct Buffered {
        int32_t token;
        size_t  begin; // in the stream
        size_t  end;
    };

    size_t             find_word(const std::string & piece);
    size_t             find(Pattern & pattern) const;
    std::vector<Taken> taken_from(size_t start) const;
    void               forget_the_distant();

    MarkMatcher           words_; // of all triggers that are words
    std::vector<Pattern>  patterns_;
    size_t                longest_word_ = 0;
    std::string           tail_;       // the last bytes of the stream
    size_t                offset_ = 0; // in the stream, of the first of them
    std::vector<Buffered> tokens_;     // those that the tail holds something of
};

} // namespace dbs
