// Pieces of GBNF text, and the rules that a grammar grows by.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace dbs {

/** What cannot become a grammar. Carries no text: it could only quote the input. */
struct NoGrammar {};

/** A character of a GBNF class, escaped unless it is a letter or a digit. */
std::string gbnf_class_char(uint32_t character);

/** A GBNF literal that stands for `text`. */
std::string gbnf_literal(const std::string & text);

/**
 * `item` from `least` to `most` times; `most` below 0 means any number. `item` is one symbol. Counts above gbnf_max_count are brought down
 * to it where that only narrows what is accepted; throws NoGrammar where it would not.
 */
std::string gbnf_repeat(const std::string & item, int64_t least, int64_t most);

constexpr int64_t gbnf_max_count = 1000;

/** Joins alternatives that are not empty; brackets them where there are several. */
std::string gbnf_choice(const std::vector<std::string> & alternatives);

class GbnfText;

/**
 * A choice of texts. Where they are many, beginnings that several share are written once and the rest in rules of their own, so that reading a
 * character means following one way and not each text.
 */
std::string gbnf_texts(std::vector<std::string> texts, GbnfText & rules);

/** Rules under numbered names, so that no name quotes the input. Equal bodies share one rule. */
class GbnfText {
  public:
    /** @param prefix what all names begin with */
    explicit GbnfText(std::string prefix = "dbs-") : prefix_(std::move(prefix)) {}

    /** A name for a rule whose body is given later. */
    std::string reserve();
    void        define(const std::string & name, const std::string & body);
    /** The name of a rule with this body. Throws NoGrammar when the grammar outgrows its limit. */
    std::string add(const std::string & body);
    /** The name of a rule that matches nothing, not even nothing at all. */
    std::string never() { return add("[^\\x00-\\U0010FFFF]"); }
    /** All rules, one a line. */
    const std::string & text() const { return text_; }

  private:
    std::string                                  prefix_;
    std::string                                  text_;
    std::unordered_map<std::string, std::string> names_; // by body
    int                                          count_ = 0;
};

} // namespace dbs
