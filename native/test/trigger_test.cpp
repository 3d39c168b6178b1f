// Marks and triggers in a stream of tokens.

#include <algorithm>
#include <random>

#include "check.h"
#include "mark_matcher.h"
#include "trigger_watch.h"

namespace {

/** The longest mark that `text` ends with, and the longest beginning of one, by looking. */
std::pair<size_t, size_t> looked_up(const std::vector<std::string> & marks, const std::string & text) {
    size_t match = 0;
    size_t begun = 0;
    for (const std::string & mark : marks) {
        for (size_t size = 1; size <= std::min(mark.size(), text.size()); size++) {
            if (text.compare(text.size() - size, size, mark, 0, size) == 0) {
                begun = std::max(begun, size);
                match = size == mark.size() ? std::max(match, size) : match;
            }
        }
    }
    return { match, begun };
}

void marks_are_found_wherever_they_end() {
    std::mt19937 random(7);
    for (int round = 0; round < 300; round++) {
        std::vector<std::string> marks(1 + random() % 4);
        for (std::string & mark : marks) {
            for (size_t size = random() % 5; size > 0; size--) {
                mark += "ab"[random() % 2];
            }
        }
        dbs::MarkMatcher matcher(marks);
        std::string      text;
        for (int i = 0; i < 60; i++) {
            text += "abc"[random() % 3];
            const size_t found = matcher.add(text.back());
            CHECK(std::make_pair(found, matcher.begun()) == looked_up(marks, text));
        }
    }
}

/** What a grammar is given once `text` has come in tokens of `step` bytes; empty when nothing wakes it. */
std::string taken(const std::vector<dbs::Trigger> & triggers, const std::string & text, size_t step) {
    dbs::TriggerWatch watch(triggers);
    for (size_t at = 0; at < text.size(); at += step) {
        std::string out;
        for (const dbs::TriggerWatch::Taken & one : watch.add(1, text.substr(at, step))) {
            out += one.text;
        }
        if (!out.empty()) {
            return out;
        }
    }
    return "";
}

void triggers_are_found_far_into_an_answer() {
    const std::vector<dbs::Trigger> triggers = {
        { true, "<tool_call>" }, { false, "^\\s+to$" }, { false, "<\\|start\\|>assistant(\\s+to)" }, { false, ">>>(?!all)" },
    };
    std::string talk;
    for (int i = 0; i < 3000; i++) {
        talk += "<tool and <|start|>user " + std::to_string(i) + " >> to ";
    }
    for (const size_t step : { 1, 3, 5 }) {
        for (const std::string & before : { std::string(), talk }) {
            CHECK(taken(triggers, before, step).empty());
            CHECK(taken(triggers, before + "<tool_call>", step).find("<tool_call>") == 0);
            CHECK(taken(triggers, before + "<|start|>assistant  to", step).find("  to") == 0);
            CHECK(taken(triggers, before + ">>>", step).find(">>>") == 0);
        }
        CHECK(taken(triggers, talk + "\n to", step).empty()); // only at the beginning of an answer
    }
    CHECK(taken(triggers, " to", 1) == " to");
    CHECK(taken({ { false, "x|call" } }, talk + "call", 4) == "call");
    CHECK(taken({ { false, "ab?c" } }, talk + "ac", 1) == "ac");
    CHECK(taken({ { false, "\\d(!+)" } }, talk + "7!", 1) == "!");
}

} // namespace

void test_triggers() {
    marks_are_found_wherever_they_end();
    triggers_are_found_far_into_an_answer();
}
