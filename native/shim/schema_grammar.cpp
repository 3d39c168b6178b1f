#include "schema_grammar.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "grammar_text.h"
#include "number_grammar.h"
#include "pattern_grammar.h"
#include "schema_merge.h"
#include "string_formats.h"

namespace dbs {

namespace {

// Deeper only through references whose targets are merged with what stands beside them.
constexpr int    max_visits   = 2000;
constexpr int    max_text_depth = 20;
constexpr size_t max_dependent  = 4;  // properties on which others depend: each doubles the choices
constexpr size_t max_distinct   = 7;  // values that may stand once each, in any order
constexpr int64_t max_contained = 20;
constexpr size_t max_work     = size_t{ 256 } << 20; // bytes of schema text looked at
constexpr size_t max_states   = 20000;               // of one object: properties times how many came before

using Expression = std::optional<std::string>; // empty: no value at all

const char * const all_types[] = { "object", "array", "string", "number", "boolean", "null" };

// Keywords that say something only of values of one type; a schema without `type` that has one is read as one of that type.
const struct {
    const char * keyword;
    const char * type;
} typed_keywords[] = {
    { "properties", "object" },    { "required", "object" },      { "additionalProperties", "object" }, { "minProperties", "object" },
    { "maxProperties", "object" }, { "patternProperties", "object" }, { "propertyNames", "object" },   { "dependentRequired", "object" },
    { "items", "array" },          { "prefixItems", "array" },    { "minItems", "array" },              { "maxItems", "array" },
    { "uniqueItems", "array" },    { "contains", "array" },       { "pattern", "string" },              { "format", "string" },
    { "minLength", "string" },     { "maxLength", "string" },     { "minimum", "number" },              { "maximum", "number" },
    { "exclusiveMinimum", "number" }, { "exclusiveMaximum", "number" }, { "multipleOf", "number" },
};

// Keywords without an effect on the grammar where they are not empty or at their default.
const char * const unsaid_keywords[] = { "not",          "if",                "dependentRequired", "dependentSchemas",
                                         "dependencies", "patternProperties", "$dynamicRef",       "$recursiveRef" };

class Converter {
  public:
    Converter(const common_json & root, GbnfText & rules) : references_(root), rules_(rules) {}

    Expression convert(const common_json & schema) { return visit(schema, ""); }

    Expression convert_text(const common_json & schema) {
        std::vector<std::string> choices;
        return collect_texts(schema, choices, 0) && !choices.empty() ? Expression(rules_.add(gbnf_choice(choices))) : std::nullopt;
    }

    /** The first keyword that was left out, and its place. */
    const std::string & ignored() const { return ignored_; }

  private:
    struct Known {
        std::string rule;
        int         level;
        bool        open;
        bool        used;
    };

    /** Remembers the first keyword that the grammar leaves out. */
    void leave_out(const char * keyword, const std::string & place) {
        if (ignored_.empty()) {
            ignored_ = std::string(keyword) + " at " + (place.empty() ? "/" : place);
        }
    }

    /** What comes before a value is never empty there, so a schema may come back to itself. */
    Expression visit_inside(const common_json & schema, const std::string & place) {
        level_++;
        const Expression found = visit(schema, place);
        level_--;
        return found;
    }

    Expression visit(const common_json & given, const std::string & place) {
        const common_json & schema = references_.target(given);
        if (schema.is_boolean()) {
            return schema.get<bool>() ? Expression(value()) : std::nullopt;
        }
        if (!schema.is_object() || visits_ >= max_visits) {
            throw NoGrammar();
        }
        std::string key = schema.dump_safe();
        work_ += key.size();
        if (work_ > max_work) {
            throw NoGrammar();
        }
        const auto known = known_.find(key);
        if (known != known_.end()) {
            if (known->second.open && known->second.level == level_) {
                return std::nullopt; // comes back to itself before a character is written: adds nothing to a choice
            }
            known->second.used = true;
            return known->second.rule;
        }
        const std::string rule = rules_.reserve();
        known_[key]            = { rule, level_, true, false };
        visits_++;
        const Expression body = build(schema, place);
        visits_--;
        Known & entry = known_[key];
        entry.open    = false;
        if (!body) {
            if (entry.used) {
                rules_.define(rule, rules_.never());
            }
            known_.erase(key);
            return std::nullopt;
        }
        rules_.define(rule, *body);
        return rule;
    }

    Expression build(const common_json & schema, const std::string & place) {
        SchemaMerge       merge(references_);
        const common_json flat = merge.flat(schema);
        if (!merge.left_out().empty()) {
            leave_out(merge.left_out().c_str(), place);
        }
        if (flat.is_boolean()) {
            return flat.get<bool>() ? Expression(value()) : std::nullopt;
        }
        if (flat.contains("const") || flat.contains("enum")) {
            return listed(flat, place);
        }
        for (const char * keyword : { "anyOf", "oneOf" }) {
            if (flat.contains(keyword)) {
                return choice(flat, keyword, place);
            }
        }
        if (has_few_dependents(flat)) {
            return dependent(flat, place);
        }
        for (const char * keyword : unsaid_keywords) {
            if (flat.contains(keyword) && !says_nothing(flat, keyword)) {
                leave_out(keyword, place);
            }
        }
        for (const char * keyword : { "unevaluatedProperties", "unevaluatedItems" }) {
            // `false` holds anyway: nothing is written that the merged keywords do not name.
            if (flat.contains(keyword) && !flat.at(keyword).is_boolean()) {
                leave_out(keyword, place);
            }
        }
        std::vector<std::string> choices;
        for (const std::string & type : types_of(flat)) {
            const Expression one = of_type(type, flat, place);
            if (one) {
                choices.push_back(*one);
            }
        }
        return choices.empty() ? std::nullopt : Expression(gbnf_choice(choices));
    }

    static bool says_nothing(const common_json & schema, const std::string & keyword) {
        const common_json & value = schema.at(keyword);
        if (keyword == "if") {
            return !schema.contains("then") && !schema.contains("else");
        }
        if (keyword == "not") {
            return value.is_boolean() && !value.get<bool>();
        }
        return value.is_object() && value.empty();
    }

    static std::vector<std::string> types_of(const common_json & schema) {
        std::vector<std::string> out;
        const auto               add = [&](const common_json & type) {
            if (!type.is_string()) {
                throw NoGrammar();
            }
            const std::string name = type.get<std::string>();
            if (name != "integer" && std::find(std::begin(all_types), std::end(all_types), name) == std::end(all_types)) {
                throw NoGrammar();
            }
            if (std::find(out.begin(), out.end(), name) == out.end()) {
                out.push_back(name);
            }
        };
        if (schema.contains("type")) {
            const common_json & type = schema.at("type");
            if (type.is_array()) {
                for (size_t i = 0; i < type.size(); i++) {
                    add(type.at(i));
                }
            } else {
                add(type);
            }
            // A number takes in the integers; both would be read twice.
            if (std::find(out.begin(), out.end(), "number") != out.end()) {
                out.erase(std::remove(out.begin(), out.end(), "integer"), out.end());
            }
            return out;
        }
        for (const auto & [keyword, type] : typed_keywords) {
            if (schema.contains(keyword) && std::find(out.begin(), out.end(), type) == out.end()) {
                out.push_back(type);
            }
        }
        return out.empty() ? std::vector<std::string>(std::begin(all_types), std::end(all_types)) : out;
    }

    Expression of_type(const std::string & type, const common_json & schema, const std::string & place) {
        if (type == "object") {
            return object(schema, place);
        }
        if (type == "array") {
            return array(schema, place);
        }
        if (type == "string") {
            return string(schema, place);
        }
        if (type == "boolean") {
            return std::string("(\"true\" | \"false\")");
        }
        return type == "null" ? Expression("\"null\"") : number(schema, type == "integer", place);
    }

    // ---- values that are written down, and choices

    Expression listed(const common_json & schema, const std::string & place) {
        std::vector<std::string> texts;
        common_json              rest = schema; // an enum's values are in it: not to be looked for there, each among all
        rest.erase("enum");
        const auto add = [&](const common_json & value) {
            const Verdict verdict = references_.accepts(schema.contains("const") ? schema : rest, value);
            if (verdict == Verdict::UNKNOWN) {
                leave_out(schema.contains("enum") ? "enum" : "const", place);
            }
            if (verdict != Verdict::NO) {
                texts.push_back(value.dump_safe());
            }
        };
        if (schema.contains("const")) {
            add(schema.at("const"));
        } else {
            const common_json & values = schema.at("enum");
            if (!values.is_array()) {
                throw NoGrammar();
            }
            std::unordered_set<std::string> seen;
            for (size_t i = 0; i < values.size(); i++) {
                if (seen.insert(values.at(i).dump_safe()).second) {
                    add(values.at(i));
                }
            }
        }
        return texts.empty() ? std::nullopt : Expression(gbnf_texts(std::move(texts), rules_));
    }

    Expression choice(const common_json & schema, const std::string & keyword, const std::string & place) {
        const common_json alternatives = schema.at(keyword);
        if (!alternatives.is_array() || alternatives.empty()) {
            throw NoGrammar();
        }
        common_json rest = schema;
        rest.erase(keyword);
        const bool bare = SchemaMerge::is_bare(rest);
        if (keyword == "oneOf" && !references_.are_apart(alternatives, rest)) {
            leave_out("oneOf", place);
        }
        std::vector<std::string> choices;
        for (size_t i = 0; i < alternatives.size(); i++) {
            const std::string where = place + "/" + keyword + "/" + std::to_string(i);
            Expression        one;
            if (bare) {
                one = visit(alternatives.at(i), where);
            } else {
                SchemaMerge       merge(references_);
                const common_json both = merge.both(rest, alternatives.at(i));
                if (!merge.left_out().empty()) {
                    leave_out(merge.left_out().c_str(), where);
                }
                one = visit(both, where);
            }
            if (one && std::find(choices.begin(), choices.end(), *one) == choices.end()) {
                choices.push_back(*one);
            }
        }
        return choices.empty() ? std::nullopt : Expression(gbnf_choice(choices));
    }

    static bool has_few_dependents(const common_json & schema) {
        if (!schema.contains("dependentRequired") || !schema.at("dependentRequired").is_object() || schema.at("dependentRequired").empty() ||
            schema.at("dependentRequired").size() > max_dependent) {
            return false;
        }
        for (const auto & [name, needed] : schema.at("dependentRequired").items()) {
            if (!needed.is_array() || !std::all_of(needed.begin(), needed.end(), [](const common_json & one) { return one.is_string(); })) {
                return false;
            }
        }
        return true;
    }

    /** Each property on which others depend is there with them, or is not. */
    Expression dependent(const common_json & schema, const std::string & place) {
        const common_json dependents = schema.at("dependentRequired");
        common_json       rest       = schema;
        rest.erase("dependentRequired");
        if (!rest.contains("properties") && !rest.contains("required") && !rest.contains("additionalProperties")) {
            rest["additionalProperties"] = true; // as open with a property that must not be there as without one
        }
        if (!rest.contains("type")) {
            rest["type"] = "object";
        }
        std::vector<std::string> choices;
        for (size_t chosen = 0; chosen < size_t{ 1 } << dependents.size(); chosen++) {
            SchemaMerge merge(references_);
            common_json one = rest;
            size_t      bit = 1;
            for (const auto & [name, needed] : dependents.items()) {
                common_json more = common_json::object();
                if ((chosen & bit) != 0) {
                    more["required"] = needed;
                    more["required"].push_back(name);
                } else {
                    more["properties"]       = common_json::object();
                    more["properties"][name] = false;
                }
                one = merge.both(one, more);
                bit <<= 1;
            }
            if (!merge.left_out().empty()) {
                leave_out(merge.left_out().c_str(), place);
            }
            const Expression found = visit(one, place);
            if (found && std::find(choices.begin(), choices.end(), *found) == choices.end()) {
                choices.push_back(*found);
            }
        }
        return choices.empty() ? std::nullopt : Expression(gbnf_choice(choices));
    }

    // ---- scalars

    Expression string(const common_json & schema, const std::string & place) {
        const int64_t least  = count_of(schema, "minLength", 0);
        const int64_t most   = count_of(schema, "maxLength", -1);
        const bool    sized  = least > 0 || most >= 0;
        if (most >= 0 && most < least) {
            return std::nullopt;
        }
        if (schema.contains("pattern")) {
            if (!schema.at("pattern").is_string()) {
                throw NoGrammar();
            }
            const std::optional<std::string> pattern = pattern_grammar(schema.at("pattern").get<std::string>(), rules_);
            if (pattern) {
                if (sized) {
                    leave_out(most >= 0 ? "maxLength" : "minLength", place);
                }
                if (schema.contains("format")) {
                    leave_out("format", place);
                }
                return pattern;
            }
            leave_out("pattern", place);
        }
        if (schema.contains("format")) {
            if (!schema.at("format").is_string()) {
                throw NoGrammar();
            }
            const std::optional<std::string> format = format_grammar(schema.at("format").get<std::string>());
            if (format) {
                if (sized) {
                    leave_out(most >= 0 ? "maxLength" : "minLength", place);
                }
                return "\"\\\"\" " + rules_.add(*format) + " \"\\\"\"";
            }
            leave_out("format", place);
        }
        if (!sized) {
            return string();
        }
        // Long strings in blocks, since a repetition counts to a thousand.
        std::string body;
        int64_t     left = least;
        if (left >= gbnf_max_count) {
            const std::string block = rules_.add(gbnf_repeat(character(), gbnf_max_count, gbnf_max_count));
            body                    = gbnf_repeat(block, left / gbnf_max_count, left / gbnf_max_count) + " ";
            left %= gbnf_max_count;
        }
        body += gbnf_repeat(character(), left, most < 0 ? -1 : most - least + left);
        return "\"\\\"\" " + body + " \"\\\"\"";
    }

    Expression number(const common_json & schema, bool whole, const std::string & place) {
        NumberBounds bounds;
        bounds.whole = whole;
        const bool  old_style_above = flag(schema, "exclusiveMinimum"); // draft 4
        const bool  old_style_below = flag(schema, "exclusiveMaximum");
        take_bound(schema, "minimum", place, bounds.least, bounds.above, old_style_above, true);
        take_bound(schema, "maximum", place, bounds.most, bounds.below, old_style_below, false);
        take_bound(schema, "exclusiveMinimum", place, bounds.least, bounds.above, true, true);
        take_bound(schema, "exclusiveMaximum", place, bounds.most, bounds.below, true, false);
        if (schema.contains("multipleOf")) {
            bounds.step = decimal(schema, "multipleOf");
            if (!bounds.step) {
                leave_out("multipleOf", place);
            } else if (bounds.step->mantissa <= 0) {
                throw NoGrammar();
            }
        }
        while (bounds.least || bounds.most || bounds.step) {
            std::string        found;
            const NumberResult result = number_grammar(bounds, rules_, found);
            switch (result) {
                case NumberResult::OK: return found;
                case NumberResult::NOTHING: return std::nullopt;
                case NumberResult::NO_STEP:
                    leave_out("multipleOf", place);
                    bounds.step.reset();
                    break;
                case NumberResult::NO_BOUNDS:
                    leave_out(schema.contains("minimum")            ? "minimum"
                              : schema.contains("exclusiveMinimum") ? "exclusiveMinimum"
                              : schema.contains("maximum")          ? "maximum"
                                                                    : "exclusiveMaximum", place);
                    bounds.least.reset();
                    bounds.most.reset();
                    break;
            }
        }
        return whole ? rules_.add("\"-\"? ([0] | [1-9] [0-9]{0,15})") : any_number();
    }

    static bool flag(const common_json & schema, const std::string & keyword) {
        return schema.contains(keyword) && schema.at(keyword).is_boolean() && schema.at(keyword).get<bool>();
    }

    static std::optional<Decimal> decimal(const common_json & schema, const std::string & keyword) {
        if (!schema.at(keyword).is_number()) {
            throw NoGrammar();
        }
        return decimal_of(schema.at(keyword).dump());
    }

    void take_bound(const common_json & schema, const char * keyword, const std::string & place, std::optional<Decimal> & bound, bool & excluded,
                    bool excludes, bool lower) {
        if (!schema.contains(keyword) || schema.at(keyword).is_boolean()) {
            return;
        }
        const std::optional<Decimal> found = decimal(schema, keyword);
        if (!found) {
            leave_out(keyword, place);
            return;
        }
        const int order = bound ? SchemaMerge::compare(*found, *bound) : 0;
        if (!bound || (lower ? order > 0 : order < 0)) {
            bound    = found;
            excluded = excludes;
        } else if (order == 0) {
            excluded |= excludes;
        }
    }

    /** Adds the texts that a schema allows to `choices`; false where it allows any, or some that cannot be told from what follows. */
    bool collect_texts(const common_json & given, std::vector<std::string> & choices, int depth) {
        if (depth > max_text_depth) {
            return false;
        }
        const common_json & schema = references_.target(given);
        if (!schema.is_object()) {
            return schema.is_boolean() && !schema.get<bool>();
        }
        SchemaMerge       merge(references_);
        const common_json flat = merge.flat(schema);
        if (!flat.is_object()) {
            return flat.is_boolean() && !flat.get<bool>();
        }
        if (flat.contains("const") || flat.contains("enum")) {
            return collect_listed(flat, choices);
        }
        for (const char * keyword : { "anyOf", "oneOf" }) {
            if (flat.contains(keyword)) {
                const common_json alternatives = flat.at(keyword);
                common_json       rest         = flat;
                rest.erase(keyword);
                bool is_bounded = alternatives.is_array();
                for (size_t i = 0; is_bounded && i < alternatives.size(); i++) {
                    is_bounded = collect_texts(merge.both(rest, alternatives.at(i)), choices, depth + 1);
                }
                return is_bounded;
            }
        }
        const std::vector<std::string> types = types_of(flat);
        if (std::find(types.begin(), types.end(), "string") == types.end()) {
            return true; // no text at all
        }
        Expression text;
        if (flat.contains("pattern") && flat.at("pattern").is_string()) {
            text = plain_pattern_grammar(flat.at("pattern").get<std::string>(), rules_);
        } else if (flat.contains("format") && flat.at("format").is_string()) {
            text = format_grammar(flat.at("format").get<std::string>());
        } else if (flat.contains("maxLength")) {
            const int64_t least = count_of(flat, "minLength", 0);
            const int64_t most  = count_of(flat, "maxLength", -1);
            if (least <= most && most <= gbnf_max_count) {
                text = gbnf_repeat(rules_.add("[^<\\x7F\\x00-\\x1F]"), least, most);
            }
        }
        if (text) {
            choices.push_back(rules_.add(*text));
        }
        return text.has_value();
    }

    bool collect_listed(const common_json & schema, std::vector<std::string> & choices) {
        const common_json values = schema.contains("const") ? common_json::array({ schema.at("const") }) : schema.at("enum");
        if (!values.is_array()) {
            throw NoGrammar();
        }
        common_json rest = schema;
        rest.erase("enum");
        std::vector<std::string> texts;
        for (size_t i = 0; i < values.size(); i++) {
            if (!values.at(i).is_string() || references_.accepts(schema.contains("const") ? schema : rest, values.at(i)) == Verdict::NO) {
                continue;
            }
            const std::string text     = values.at(i).get<std::string>();
            const bool        is_plain = std::none_of(text.begin(), text.end(), [](char c) {
                return c == '<' || c == 0x7F || (c >= 0 && c < 0x20);
            });
            if (!is_plain) {
                return false;
            }
            texts.push_back(text);
        }
        if (!texts.empty()) {
            choices.push_back(gbnf_texts(std::move(texts), rules_));
        }
        return true;
    }

    // ---- arrays and objects

    Expression array(const common_json & schema, const std::string & place) {
        const common_json * rest  = nullptr;
        const common_json * fixed = nullptr;
        const char *        fixed_name = "prefixItems";
        const char *        rest_name  = "items";
        if (schema.contains("items") && schema.at("items").is_array()) { // draft 7
            fixed      = &schema.at("items");
            fixed_name = "items";
            rest_name  = "additionalItems";
        } else if (schema.contains("prefixItems")) {
            fixed = &schema.at("prefixItems");
        }
        if (schema.contains(rest_name)) {
            rest = &schema.at(rest_name);
        }
        if (fixed != nullptr && !fixed->is_array()) {
            throw NoGrammar();
        }
        int64_t least = count_of(schema, "minItems", 0);
        int64_t most  = count_of(schema, "maxItems", -1);
        if (most >= 0 && most < least) {
            return std::nullopt;
        }
        if (flag(schema, "uniqueItems") && (most < 0 || most > 1)) {
            if (fixed == nullptr && rest != nullptr && !schema.contains("contains")) {
                const std::vector<std::string> values = few_values(*rest);
                if (!values.empty()) {
                    return distinct(values, least, most);
                }
            }
            leave_out("uniqueItems", place);
        }
        std::vector<std::string> items;
        if (schema.contains("contains")) {
            const int64_t contained = count_of(schema, "minContains", 1);
            if (fixed != nullptr || schema.contains("maxContains") || contained > max_contained) {
                leave_out("contains", place);
            } else if (contained > 0) {
                SchemaMerge       merge(references_);
                const common_json item = rest == nullptr ? schema.at("contains") : merge.both(*rest, schema.at("contains"));
                if (!merge.left_out().empty()) {
                    leave_out(merge.left_out().c_str(), place);
                }
                const Expression one = visit_inside(item, place + "/contains");
                if (!one || (most >= 0 && most < contained)) {
                    return std::nullopt;
                }
                items.assign(static_cast<size_t>(contained), *one); // at the beginning
            }
        }
        const size_t             n_fixed = fixed == nullptr ? 0 : fixed->size();
        for (size_t i = 0; i < n_fixed && (most < 0 || static_cast<int64_t>(i) < most); i++) {
            const Expression one = visit_inside(fixed->at(i), place + "/" + fixed_name + "/" + std::to_string(i));
            if (!one) {
                if (static_cast<int64_t>(i) < least) {
                    return std::nullopt;
                }
                most = static_cast<int64_t>(i);
                break;
            }
            items.push_back(*one);
        }
        const auto written = static_cast<int64_t>(items.size());
        least              = std::max<int64_t>(least - written, 0);
        most               = most < 0 ? -1 : most - written;
        // A tuple is closed unless more is asked for.
        Expression more;
        if (most != 0 && (fixed == nullptr || rest != nullptr || least > 0)) {
            more = rest == nullptr ? Expression(value()) : visit_inside(*rest, place + "/" + rest_name);
        }
        if (!more) {
            if (least > 0) {
                return std::nullopt;
            }
            most = 0;
        }
        std::string body = "\"[\" " + space();
        for (size_t i = 0; i < items.size(); i++) {
            body += (i > 0 ? " \",\" " + space() + " " : " ") + items[i];
        }
        if (most != 0) {
            const std::string next = rules_.add("\",\" " + space() + " " + *more);
            if (!items.empty()) {
                body += " " + gbnf_repeat(next, least, most);
            } else {
                const std::string some = *more + " " + gbnf_repeat(next, std::max<int64_t>(least - 1, 0), most < 0 ? -1 : most - 1);
                body += " " + (least > 0 ? some : rules_.add(some) + "?");
            }
        }
        return body + " " + space() + " \"]\"";
    }

    /** The literals of a schema that lists its values, or has two; empty where there are too many, or some that are equal and look different. */
    std::vector<std::string> few_values(const common_json & given) {
        SchemaMerge              merge(references_);
        const common_json        schema = merge.flat(given);
        std::vector<std::string> out;
        if (!schema.is_object() || !merge.left_out().empty()) {
            return out;
        }
        common_json values = common_json::array();
        if (schema.contains("enum") && schema.at("enum").is_array()) {
            values = schema.at("enum");
        } else if (!schema.contains("const") && types_of(schema) == std::vector<std::string>{ "boolean" }) {
            values = common_json::array({ true, false });
        }
        for (size_t i = 0; i < values.size(); i++) {
            const common_json & value   = values.at(i);
            const bool          is_flat = value.is_string() || value.is_boolean() || value.is_null() || value.is_number_integer();
            const Verdict       verdict = references_.accepts(schema, value);
            if (!is_flat || verdict == Verdict::UNKNOWN || out.size() > max_distinct) {
                return {};
            }
            const std::string literal = gbnf_literal(value.dump_safe());
            if (verdict == Verdict::YES && std::find(out.begin(), out.end(), literal) == out.end()) {
                out.push_back(literal);
            }
        }
        return out.size() > max_distinct ? std::vector<std::string>() : out;
    }

    /** An array of the values, each at most once and in any order. */
    Expression distinct(const std::vector<std::string> & values, int64_t least, int64_t most) {
        const size_t             all = (size_t{ 1 } << values.size()) - 1;
        std::vector<std::string> known(all + 1); // what follows, by which values have been written; the fuller ones first
        for (size_t written = all + 1; written-- > 0;) {
            int64_t n = 0;
            for (size_t i = 0; i < values.size(); i++) {
                n += written >> i & 1;
            }
            std::vector<std::string> choices;
            for (size_t i = 0; i < values.size() && (most < 0 || n < most); i++) {
                const size_t next = written | size_t{ 1 } << i;
                if (next != written && !known[next].empty()) {
                    choices.push_back((n > 0 ? "\",\" " + space() + " " : "") + values[i] + " " + known[next]);
                }
            }
            if (n >= least) {
                choices.push_back("\"\"");
            }
            known[written] = choices.empty() ? "" : rules_.add(gbnf_choice(choices));
        }
        return known[0].empty() ? std::nullopt : Expression("\"[\" " + space() + " " + known[0] + " " + space() + " \"]\"");
    }

    struct Property {
        std::string name;
        std::string rule; // key, colon and value; empty: cannot be there
        bool        required;
    };

    struct Members {
        std::vector<Property>    properties;
        std::string              more; // the rule of one further member; empty: none
        int64_t                  least;
        int64_t                  most;
        int64_t                  counted; // how many members are told apart
        bool                     distinct; // no two further members are counted: they may have one name
        std::vector<std::string> known;    // rules by state; "-": none
    };

    Expression object(const common_json & schema, const std::string & place) {
        Members members;
        members.least   = count_of(schema, "minProperties", 0);
        members.most    = count_of(schema, "maxProperties", -1);
        members.distinct = false;
        members.counted  = members.least > 0 || members.most >= 0 ? std::max(members.least, std::max<int64_t>(members.most, 0)) : 1;

        std::unordered_set<std::string> required;
        std::vector<std::string>        order;
        if (schema.contains("required")) {
            const common_json & names = schema.at("required");
            if (!names.is_array()) {
                throw NoGrammar();
            }
            for (size_t i = 0; i < names.size(); i++) {
                if (!names.at(i).is_string()) {
                    throw NoGrammar();
                }
                if (required.insert(names.at(i).get<std::string>()).second) {
                    order.push_back(names.at(i).get<std::string>());
                }
            }
        }
        const bool          named = schema.contains("properties") && !schema.at("properties").empty();
        const common_json   open(true);
        const common_json & others = schema.contains("additionalProperties") ? schema.at("additionalProperties") : open;

        std::unordered_set<std::string> seen;
        if (schema.contains("properties")) {
            const common_json & properties = schema.at("properties");
            if (!properties.is_object()) {
                throw NoGrammar();
            }
            size_t number = 0;
            for (const auto & [name, value] : properties.items()) {
                seen.insert(name);
                if (!add_property(members, name, value, required.count(name) > 0, place + "/properties/" + std::to_string(number))) {
                    return std::nullopt;
                }
                number++;
            }
        }
        for (const std::string & name : order) {
            if (seen.count(name) == 0 && !add_property(members, name, others, true, place + "/additionalProperties")) {
                return std::nullopt;
            }
        }
        // Objects that name their properties have no others unless the schema asks for them in words.
        const bool asks = schema.contains("additionalProperties") || (!named && order.empty());
        if (asks && !(others.is_boolean() && !others.get<bool>())) {
            members.more = further_member(schema, members, others, place);
        }
        check_names(schema, members, place);
        if (members.more.empty() && members.counted > static_cast<int64_t>(members.properties.size())) {
            members.counted = std::max<int64_t>(1, static_cast<int64_t>(members.properties.size()));
            if (members.least > members.counted) {
                return std::nullopt;
            }
            members.most = members.most > members.counted ? -1 : members.most;
        }
        if (members.counted > static_cast<int64_t>(max_states) ||
            (members.properties.size() + 1) * static_cast<size_t>(members.counted + 1) > max_states) {
            if (members.least > 0) {
                leave_out("minProperties", place);
            }
            if (members.most >= 0) {
                leave_out("maxProperties", place);
            }
            members.least   = 0;
            members.most    = -1;
            members.counted = 1;
        }
        const int64_t n_required = std::count_if(members.properties.begin(), members.properties.end(), [](const Property & p) { return p.required; });
        members.distinct = !members.more.empty() && members.least > n_required; // a name written twice counts once
        Expression body  = members_of(members);
        if (!body && members.distinct) {
            leave_out("minProperties", place);
            members.distinct = false;
            body             = members_of(members);
        }
        if (!body) {
            return std::nullopt;
        }
        return "\"{\" " + space() + " " + *body + " " + space() + " \"}\"";
    }

    Expression members_of(Members & members) {
        members.known.assign((members.properties.size() + 1) * static_cast<size_t>(members.counted + 1), "");
        return following(members, 0, 0);
    }

    bool add_property(Members & members, const std::string & name, const common_json & schema, bool required, const std::string & place) {
        const Expression value = visit_inside(schema, place);
        if (!value) {
            if (!required) {
                members.properties.push_back({ name, "", false }); // its name stays forbidden to further members
            }
            return !required;
        }
        const std::string key = gbnf_literal(common_json(name).dump_safe() + ":");
        members.properties.push_back({ name, rules_.add(key + " " + space() + " " + *value), required });
        return true;
    }

    std::string further_member(const common_json & schema, const Members & members, const common_json & others, const std::string & place) {
        const Expression value = visit_inside(others, place + "/additionalProperties");
        if (!value) {
            return "";
        }
        std::string key;
        if (members.properties.empty() && schema.contains("propertyNames")) {
            SchemaMerge       merge(references_);
            const common_json text  = common_json{ { "type", "string" } };
            const Expression  found = visit_inside(merge.both(text, schema.at("propertyNames")), place + "/propertyNames");
            if (!found) {
                return "";
            }
            key = *found;
        } else if (members.properties.empty()) {
            key = string();
        } else {
            std::vector<std::vector<uint32_t>> names;
            for (const Property & property : members.properties) {
                names.push_back(characters_of(property.name));
            }
            std::sort(names.begin(), names.end());
            key = "\"\\\"\" " + other_than(names, 0, names.size(), 0) + " \"\\\"\"";
        }
        return rules_.add(key + " \":\" " + space() + " " + *value);
    }

    void check_names(const common_json & schema, const Members & members, const std::string & place) {
        if (!schema.contains("propertyNames") || members.properties.empty()) {
            return;
        }
        for (const Property & property : members.properties) {
            if (references_.accepts(schema.at("propertyNames"), common_json(property.name)) != Verdict::YES) {
                leave_out("propertyNames", place);
                return;
            }
        }
        if (!members.more.empty()) {
            leave_out("propertyNames", place);
        }
    }

    /** The members from property `at` on, when `before` members have been written (or at least as many as are told apart). */
    Expression following(Members & members, size_t at, int64_t before) {
        const size_t state = at * static_cast<size_t>(members.counted + 1) + static_cast<size_t>(before);
        if (!members.known[state].empty()) {
            return members.known[state] == "-" ? std::nullopt : Expression(members.known[state]);
        }
        std::vector<std::string> choices;
        const std::string        comma = before > 0 ? "\",\" " + space() + " " : "";
        const bool               full  = members.most >= 0 && before >= members.most;
        if (at < members.properties.size()) {
            const Property & property = members.properties[at];
            if (!property.rule.empty() && !full) {
                const Expression rest = following(members, at + 1, std::min(before + 1, members.counted));
                if (rest) {
                    choices.push_back(comma + property.rule + (*rest == "\"\"" ? "" : " " + *rest));
                }
            }
            if (!property.required) {
                const Expression rest = following(members, at + 1, before);
                if (rest && std::find(choices.begin(), choices.end(), *rest) == choices.end()) {
                    choices.push_back(*rest);
                }
            }
        } else {
            const int64_t missing = std::max<int64_t>(members.least - before, 0);
            if (members.more.empty() || full) {
                if (missing == 0) {
                    choices.push_back("\"\"");
                }
            } else {
                if (members.distinct && missing > 1) {
                    members.known[state] = "-";
                    return std::nullopt;
                }
                const int64_t     room = members.most < 0 ? -1 : members.most - before;
                const std::string next = rules_.add("\",\" " + space() + " " + members.more);
                if (before > 0) {
                    choices.push_back(gbnf_repeat(next, missing, room));
                } else {
                    const std::string some = members.more + " " + gbnf_repeat(next, std::max<int64_t>(missing - 1, 0), room < 0 ? -1 : room - 1);
                    choices.push_back(missing > 0 ? some : rules_.add(some) + "?");
                }
            }
        }
        std::string & known = members.known[state];
        if (choices.empty()) {
            known = "-";
            return std::nullopt;
        }
        known = choices.size() == 1 && choices[0] == "\"\"" ? choices[0] : rules_.add(gbnf_choice(choices));
        return known;
    }

    static std::vector<uint32_t> characters_of(const std::string & name) {
        std::vector<uint32_t> out;
        for (size_t i = 0; i < name.size();) {
            const auto   lead   = static_cast<unsigned char>(name[i]);
            const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            uint32_t     c      = length == 1 ? lead : lead & (0xFF >> (length + 1));
            for (size_t k = 1; k < length && i + k < name.size(); k++) {
                c = c << 6 | (static_cast<unsigned char>(name[i + k]) & 0x3F);
            }
            out.push_back(c);
            i += length;
        }
        return out;
    }

    /**
     * A name that is none of names[from, to), which are sorted and share their first `depth` characters; without escapes, so that no other
     * spelling of a name gets by.
     */
    std::string other_than(const std::vector<std::vector<uint32_t>> & names, size_t from, size_t to, size_t depth) {
        if (depth > max_visits) {
            throw NoGrammar();
        }
        const std::string        plain = rules_.add("[^\"\\\\\\x7F\\x00-\\x1F]");
        std::string              taken;
        std::vector<std::string> choices;
        bool                     ends = true;
        size_t                   i    = from;
        for (; i < to && names[i].size() == depth; i++) {
            ends = false; // this very name may not end here
        }
        while (i < to) {
            const uint32_t first = names[i][depth];
            size_t         next  = i;
            while (next < to && names[next][depth] == first) {
                next++;
            }
            taken += gbnf_class_char(first);
            if (first >= 0x20 && first != '"' && first != '\\' && first != 0x7F) {
                choices.push_back("[" + gbnf_class_char(first) + "] " + other_than(names, i, next, depth + 1));
            }
            i = next;
        }
        choices.push_back("[^\"\\\\\\x7F\\x00-\\x1F" + taken + "] " + plain + "*");
        return rules_.add(gbnf_choice(choices) + (ends ? " | \"\"" : ""));
    }

    static int64_t count_of(const common_json & schema, const std::string & keyword, int64_t otherwise) {
        if (!schema.contains(keyword)) {
            return otherwise;
        }
        const common_json & value = schema.at(keyword);
        if (!value.is_number()) {
            throw NoGrammar();
        }
        const auto count = value.get<double>();
        if (count < 0 || count != static_cast<double>(static_cast<int64_t>(std::min(count, 1e15)))) {
            throw NoGrammar();
        }
        return static_cast<int64_t>(count);
    }

    // ---- what JSON is made of

    /** Bounded, so that a model cannot write blanks for ever. */
    std::string space() { return rules_.add("| \" \" | \"\\n\" [ \\t]{0,20}"); }

    /** One character as JSON writes it; no half of a pair, so that characters are counted as readers count them. */
    std::string character() {
        return rules_.add("[^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))");
    }

    std::string string() { return rules_.add("\"\\\"\" " + character() + "* \"\\\"\""); }

    std::string any_number() {
        return rules_.add("\"-\"? ([0] | [1-9] [0-9]{0,15}) (\".\" [0-9]{1,16})? ([eE] [-+]? [0-9]{1,2})?");
    }

    std::string value() {
        if (value_.empty()) {
            value_                  = rules_.reserve();
            const std::string item  = rules_.add("\",\" " + space() + " " + value_);
            const std::string entry = rules_.add(string() + " \":\" " + space() + " " + value_);
            const std::string more  = rules_.add("\",\" " + space() + " " + entry);
            const std::string object = rules_.add("\"{\" " + space() + " (" + entry + " " + more + "*)? " + space() + " \"}\"");
            const std::string array  = rules_.add("\"[\" " + space() + " (" + value_ + " " + item + "*)? " + space() + " \"]\"");
            rules_.define(value_, object + " | " + array + " | " + string() + " | " + any_number() + " | \"true\" | \"false\" | \"null\"");
        }
        return value_;
    }

    SchemaReferences                       references_;
    GbnfText &                             rules_;
    std::unordered_map<std::string, Known> known_; // by the schema's text
    std::string                            value_;
    std::string                            ignored_;
    int                                    level_  = 0;
    int                                    visits_ = 0;
    size_t                                 work_   = 0;
};

} // namespace

SchemaGrammar schema_grammar(const common_json & schema) {
    GbnfText                         rules;
    Converter                        converter(schema, rules);
    const std::optional<std::string> start = converter.convert(schema);
    if (!start) {
        throw NoGrammar();
    }
    return { rules.text(), *start, converter.ignored() };
}

std::optional<std::string> schema_rules(const common_json & schema, const common_json & root, GbnfText & rules) {
    return Converter(root, rules).convert(schema);
}

std::optional<std::string> text_rules(const common_json & schema, const common_json & root, GbnfText & rules) {
    return Converter(root, rules).convert_text(schema);
}

} // namespace dbs
