// Where a text spells tokens that are told apart before it is tokenized.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "darkbloom_shim.h"

namespace dbs {

/**
 * A vocabulary's special tokens: control, unknown and user-defined ones. Finds them in a text as upstream's tokenizer does (longer ones first over
 * the whole text, each from left to right, some with the white space beside them), in time that grows with the text: upstream walks its list of all
 * pieces at each find, which takes 16 s for 340 kB of chat in 10,000 messages (two-core x86 machine, 2026-11). Immutable; any thread.
 */
class SpecialTokens {
  public:
    /** A special token, or text between two; [begin, end) in bytes. */
    struct Part {
        size_t  begin;
        size_t  end;
        int32_t token; // below 0: text
    };

    using Ranges = std::vector<std::pair<size_t, size_t>>;

    /** May throw. */
    explicit SpecialTokens(const llama_vocab * vocab);

    /**
     * Takes a text apart; stripped white space is in no part. May throw.
     *
     * @param parse_special false: only user-defined tokens are found
     * @param plain places, [begin, end) in bytes, rising, that no other token than a user-defined one may touch
     */
    std::vector<Part> parts(const std::string & text, bool parse_special, const Ranges & plain) const;

  private:
    struct Special {
        int32_t     token;
        std::string text;
        bool        user_defined;
        bool        strips_left;
        bool        strips_right;
    };

    /** An automaton of Aho and Corasick that knows every text that ends at a place. */
    class Finder {
      public:
        Finder();
        void     add(const std::string & text, uint32_t special); // of equal texts the first counts
        void     finish();
        uint32_t step(uint32_t node, char byte) const;
        uint32_t first_end(uint32_t node) const { return nodes_[node].special != none ? node : nodes_[node].next_end; }
        uint32_t next_end(uint32_t node) const { return nodes_[node].next_end; }
        uint32_t special(uint32_t node) const { return nodes_[node].special; }

        static constexpr uint32_t none = UINT32_MAX;

      private:
        struct Node {
            std::vector<std::pair<char, uint32_t>> next;
            uint32_t                               shorter  = 0;
            uint32_t                               special  = none; // of the text that ends here
            uint32_t                               next_end = 0;    // the node of the next shorter text that ends here; 0 for none
        };

        uint32_t child(uint32_t node, char byte) const;

        std::vector<Node>     nodes_;
        std::array<bool, 256> begins_ = {};
    };

    struct Hit;
    class Search;

    std::vector<Special> specials_; // in upstream's order
    Finder               all_;
    Finder               user_defined_;
    bool                 is_of_one_piece_ = false; // white space that one token strips may be another's text
};

/** The one of this vocabulary; as long as somebody holds it, everybody gets the same. May throw. */
std::shared_ptr<const SpecialTokens> special_tokens(const llama_vocab * vocab);

} // namespace dbs
