#include "value_parameters.h"

#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace dbs {

namespace {

using Id = common_peg_parser_id;

/** Edits the parser in the form in which it is saved, since nothing can be added to the other. */
class Editor {
  public:
    Editor(const std::string & parser, const ValueRule & rule_of) : json_(common_json::parse(parser)), rule_of_(rule_of) {
        for (const auto & [name, id] : json_.at("rules").items()) {
            rules_[name] = id.get<Id>();
        }
    }

    common_peg_arena edited() {
        visit(json_.at("root").get<Id>());
        return common_peg_arena::from_json(json_);
    }

  private:
    const common_json & node(Id id) const { return json_.at("parsers").at(id); }

    bool is(Id id, const char * type) const { return node(id).at("type").get<std::string>() == type; }

    bool is_tag(Id id, const char * tag) const { return is(id, "tag") && node(id).at("tag").get<std::string>() == tag; }

    std::vector<Id> children_of(Id id) const {
        const common_json & one = node(id);
        if (one.contains("children")) {
            return one.at("children").get<std::vector<Id>>();
        }
        if (one.contains("child")) {
            return { one.at("child").get<Id>() };
        }
        return is(id, "ref") ? std::vector<Id>{ rules_.at(one.at("name").get<std::string>()) } : std::vector<Id>();
    }

    Id add(const common_json & one) {
        json_.at("parsers").push_back(one);
        return json_.at("parsers").size() - 1;
    }

    /** Goes through the parser in the order in which it reads, so that a call's name comes before its parameters. */
    void visit(Id id) {
        if (!visited_.insert(id).second) {
            return;
        }
        if (is_tag(id, common_chat_peg_builder::TOOL_NAME)) {
            tool_ = literal_in(id);
        } else if (is_tag(id, common_chat_peg_builder::TOOL_ARG)) {
            edit(id);
            return;
        }
        for (const Id child : children_of(id)) {
            visit(child);
        }
    }

    void edit(Id parameter) {
        const Id name  = find(parameter, common_chat_peg_builder::TOOL_ARG_NAME, 0);
        const Id text  = find(parameter, common_chat_peg_builder::TOOL_ARG_STRING_VALUE, 0);
        const Id value = text != none ? text : find(parameter, common_chat_peg_builder::TOOL_ARG_VALUE, 0);
        if (name == none || value == none) {
            return;
        }
        const Id        inner = node(value).at("child").get<Id>();
        const ValueForm form  = text != none ? ValueForm::TEXT : is(inner, "until") ? ValueForm::JSON : ValueForm::PYTHON;
        if (is(inner, "schema")) {
            return;
        }
        const std::optional<std::string> rule = rule_of_(tool_, literal_in(name), form);
        if (rule) {
            const std::string tag   = node(value).at("tag").get<std::string>();
            const Id          child = with_rule(node(parameter).at("child").get<Id>(), tag.c_str(), *rule);
            json_.at("parsers").at(parameter)["child"] = child;
        }
    }

    /** A copy of a node in which the value is the rule. What holds no value is shared with the original. */
    Id with_rule(Id id, const char * tag, const std::string & rule) {
        if (is_tag(id, tag)) {
            return add({ { "type", "gbnf" }, { "child", id }, { "grammar", rule } });
        }
        if (find(id, tag, 0) == none) {
            return id;
        }
        const std::vector<Id> children = children_of(id);
        if (is(id, "sequence")) {
            std::vector<Id> copies;
            for (const Id child : children) {
                copies.push_back(with_rule(child, tag, rule));
            }
            return add({ { "type", "sequence" }, { "children", copies } });
        }
        // Of several ways to write a text the last is the plain one; tags, rules and searches for an end mean nothing here.
        return with_rule(children.back(), tag, rule);
    }

    Id find(Id id, const char * tag, int depth) const {
        if (is_tag(id, tag)) {
            return id;
        }
        // A value that is no text holds none, and may refer to itself.
        if (depth < max_depth && !is(id, "schema") && !is_tag(id, common_chat_peg_builder::TOOL_ARG_VALUE)) {
            for (const Id child : children_of(id)) {
                const Id found = find(child, tag, depth + 1);
                if (found != none) {
                    return found;
                }
            }
        }
        return none;
    }

    std::string literal_in(Id id) const {
        while (!is(id, "literal")) {
            const std::vector<Id> children = children_of(id);
            if (children.size() != 1) {
                return "";
            }
            id = children.front();
        }
        return node(id).at("literal").get<std::string>();
    }

    static constexpr Id  none      = COMMON_PEG_INVALID_PARSER_ID;
    static constexpr int max_depth = 12; // what a parameter is made of is no deeper

    common_json                         json_;
    std::unordered_map<std::string, Id> rules_;
    const ValueRule &                    rule_of_;
    std::unordered_set<Id>              visited_;
    std::string                         tool_;
};

} // namespace

common_peg_arena with_value_rules(const std::string & parser, const ValueRule & rule_of) {
    return Editor(parser, rule_of).edited();
}

} // namespace dbs
