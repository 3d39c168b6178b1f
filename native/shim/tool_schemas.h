// The parameters of a request's tools: what stands for them while upstream builds the answer's format, and the rules that take their place.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "chat.h"
#include "json-schema-to-grammar.h"

#include "grammar_text.h"
#include "value_parameters.h"

namespace dbs {

/**
 * Has the arguments of calls follow our rules instead of those of upstream's converter, which drops keywords silently, lets quotes through
 * patterns, mixes up the references of two tools and prints patterns to stderr.
 *
 * Upstream is given tools whose parameters are stand-ins. They have the properties, the order and the types that decide how a call is
 * written and read, so the parser is the one that the real parameters would get; the schemas in them are numbered constants. The grammar is
 * then built once more from the parser, with our rules for each number. The prompt is rendered from the real tools, elsewhere.
 *
 * A format that writes all arguments as one JSON object is held to the whole schema. One that writes parameters apart is held to the
 * schema of each parameter that is written as JSON, and text to its values, format, pattern or length; upstream's format says which are
 * required.
 */
class ToolSchemas {
  public:
    /** Throws NoGrammar for parameters that are no schema of an object, or where what decides a call's form is malformed. */
    explicit ToolSchemas(const std::vector<common_chat_tool> & tools);

    /** The tools for upstream's builders. */
    const std::vector<common_chat_tool> & stand_ins() const { return stand_ins_; }

    /** Builds the grammar of a format anew, if it has one. Throws NoGrammar as schema_grammar does. */
    void enforce(common_chat_params & params) const;

  private:
    struct Part {
        const common_json * root;
        const common_json * schema;
        bool                required;
    };

    common_json stand_in(const common_json & schema, const common_json & root, bool required, common_schema_info & info);
    common_json members_of(const common_json & properties, const common_json & root, const std::vector<std::string> & required,
                           common_schema_info & info);
    std::string rule_of(const common_json & stand_in, GbnfText & rules) const;
    std::optional<std::string> value_rule_of(const std::string & tool, const std::string & parameter, ValueForm form, GbnfText & rules) const;

    std::deque<common_json>       roots_; // stay where they are
    std::vector<Part>             parts_; // by the number in their stand-in
    std::vector<common_chat_tool> stand_ins_;
};

} // namespace dbs
