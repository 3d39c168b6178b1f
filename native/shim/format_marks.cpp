#include "format_marks.h"

#include <algorithm>
#include <set>

namespace dbs {

namespace {

/** Walks a parser's nodes; those that may be reached on several ways, once. */
class Walk {
  public:
    Walk(const common_peg_arena & parser, const std::string * tag, bool takes_literals)
        : parser_(parser), tag_(tag), takes_literals_(takes_literals) {}

    void visit(common_peg_parser_id id, bool within) {
        if (!seen_.insert({ id, within }).second) {
            return;
        }
        std::visit([&](const auto & node) { look(node, within); }, parser_.get(id));
    }

    std::set<std::string> found;

  private:
    void look(const common_peg_until_parser & node, bool within) { add(node.delimiters, within); }
    void look(const common_peg_ac_parser & node, bool within) {
        add(node.delimiters, within);
        visit(node.child, within);
    }
    void look(const common_peg_literal_parser & node, bool within) {
        if (takes_literals_ && node.literal.size() > 1 && node.literal.find_first_of("<>[]{}|`") != std::string::npos) {
            add({ node.literal }, within);
        }
    }
    void look(const common_peg_sequence_parser & node, bool within) { all(node.children, within); }
    void look(const common_peg_choice_parser & node, bool within) { all(node.children, within); }
    void look(const common_peg_repetition_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_and_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_not_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_schema_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_rule_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_atomic_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_gbnf_parser & node, bool within) { visit(node.child, within); }
    void look(const common_peg_tag_parser & node, bool within) { visit(node.child, within || (tag_ != nullptr && node.tag == *tag_)); }
    void look(const common_peg_ref_parser & node, bool within) { visit(parser_.get_rule(node.name), within); }
    template <typename Leaf> void look(const Leaf &, bool) {}

    void all(const std::vector<common_peg_parser_id> & children, bool within) {
        for (const common_peg_parser_id child : children) {
            visit(child, within);
        }
    }

    void add(const std::vector<std::string> & delimiters, bool within) {
        if (within) {
            for (const std::string & delimiter : delimiters) {
                if (!delimiter.empty()) {
                    found.insert(delimiter);
                }
            }
        }
    }

    const common_peg_arena &                        parser_;
    const std::string *                             tag_;
    const bool                                      takes_literals_;
    std::set<std::pair<common_peg_parser_id, bool>> seen_;
};

std::vector<std::string> found_in(const common_peg_arena & parser, const std::string * tag, bool takes_literals) {
    if (parser.empty()) {
        return {};
    }
    Walk walk(parser, tag, takes_literals);
    walk.visit(parser.root(), tag == nullptr);
    return { walk.found.begin(), walk.found.end() };
}

} // namespace

std::vector<std::string> ends_of_text(const common_peg_arena & parser, const std::string & tag) {
    return found_in(parser, &tag, false);
}

std::vector<std::string> marks_of(const common_peg_arena & parser) {
    return found_in(parser, nullptr, true);
}

} // namespace dbs
