// JSON schemas as grammars.
#pragma once

#include <optional>
#include <string>

#include "grammar_text.h"
#include "json.h"

namespace dbs {

struct SchemaGrammar {
    std::string rules;   // GBNF, one rule a line, names that begin with `dbs-`
    std::string start;   // the rule of the whole answer
    std::string ignored; // the first keyword that the grammar does not enforce, and where: "multipleOf at /properties/2"; empty: none
};

/**
 * Turns a schema (draft 2020-12, and what differs in draft 7) into rules whose every text is JSON that is valid under it, but for the
 * keyword in `ignored` and those after it. The grammar may accept less than the schema: objects have the properties that are named and no
 * others unless `additionalProperties` asks for them, formats and numbers come in plain forms.
 *
 * upstream's converter is not used: it drops keywords silently, lets quotes and backslashes through patterns and property names, and
 * prints patterns to stderr.
 *
 * Places are JSON pointers in which a property is named by its number, so that nothing in `ignored` quotes the schema.
 *
 * Throws NoGrammar for a schema that no value satisfies, a reference that leads nowhere or to itself, a keyword of the wrong form, and where
 * the grammar would outgrow its limits. Recurses; call it on a deep stack.
 */
SchemaGrammar schema_grammar(const common_json & schema);

/**
 * As schema_grammar, with the rules added to others: returns the rule of a schema whose references lead into `root`, or nothing where no value
 * satisfies it. Borrows both for the call.
 */
std::optional<std::string> schema_rules(const common_json & schema, const common_json & root, GbnfText & rules);

/**
 * As schema_rules, for a string that is written as text between marks and not as JSON: one of some values, of a format, of a pattern, or no
 * longer than so much. Nothing where any text will do, or where what it must not be cannot be said. Accepts no `<` and no control character,
 * so that what ends the text cannot be part of it.
 */
std::optional<std::string> text_rules(const common_json & schema, const common_json & root, GbnfText & rules);

} // namespace dbs
