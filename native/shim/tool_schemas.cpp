#include "tool_schemas.h"

#include <algorithm>
#include <new>
#include <unordered_set>

#include "chat-peg-parser.h"

#include "schema_grammar.h"

namespace dbs {

namespace {

const char * const type_names[] = { "object", "array", "string", "number", "integer", "boolean", "null" };

bool is_type(const common_json & value) {
    return value.is_string() && std::find(std::begin(type_names), std::end(type_names), value.get<std::string>()) != std::end(type_names);
}

bool is_types(const common_json & value) {
    if (!value.is_array()) {
        return is_type(value);
    }
    for (size_t i = 0; i < value.size(); i++) {
        if (!is_type(value.at(i))) {
            return false;
        }
    }
    return true;
}

/** The parameters as a schema of what arguments can be: objects, and nothing but `{}` where no parameter is declared. */
common_json as_arguments(common_json parameters) {
    if (parameters.is_null()) {
        parameters = common_json::object();
    }
    if (!parameters.is_object()) {
        throw NoGrammar();
    }
    bool is_silent = true;
    for (const auto & [keyword, value] : parameters.items()) {
        const bool says_nothing = keyword == "properties" && value.is_object() && value.empty();
        const bool is_aside     = keyword == "type" || keyword == "required" || keyword == "description" || keyword == "title" || keyword == "$schema";
        is_silent               = is_silent && (says_nothing || is_aside);
    }
    // An object of any kind is asked for by its type alone.
    if (is_silent && (parameters.contains("properties") || !parameters.contains("type"))) {
        parameters["additionalProperties"] = false;
    }
    if (parameters.contains("type") && parameters.at("type").is_array()) {
        const common_json & types     = parameters.at("type");
        bool                is_object = false;
        for (size_t i = 0; i < types.size(); i++) {
            is_object = is_object || (types.at(i).is_string() && types.at(i).get<std::string>() == "object");
        }
        if (!is_object) {
            throw NoGrammar();
        }
        parameters["type"] = "object";
    } else if (!parameters.contains("type")) {
        parameters["type"] = "object";
    } else if (!parameters.at("type").is_string() || parameters.at("type").get<std::string>() != "object") {
        throw NoGrammar();
    }
    return parameters;
}

std::vector<std::string> required_of(const common_json & schema) {
    std::vector<std::string> names;
    if (schema.contains("required") && !schema.at("required").is_boolean()) { // draft 3 has a flag in each property
        const common_json & required = schema.at("required");
        if (!required.is_array()) {
            throw NoGrammar();
        }
        for (size_t i = 0; i < required.size(); i++) {
            if (!required.at(i).is_string()) {
                throw NoGrammar();
            }
            names.push_back(required.at(i).get<std::string>());
        }
    }
    return names;
}

/** Whether every value of the schema is a string or a number. */
bool is_scalar(const common_json & schema) {
    const bool        is_one = schema.is_object() && schema.contains("type") && schema.at("type").is_string();
    const std::string type   = is_one ? schema.at("type").get<std::string>() : "";
    return type == "string" || type == "integer" || type == "number";
}

/** A string of Python in single quotes, as some templates write them, where that says as much as the schema: for any string, and for listed ones. */
std::string single_quoted(const common_json & schema) {
    static const std::unordered_set<std::string> notes = { "type", "enum", "description", "title", "default", "examples", "$comment", "deprecated" };
    for (const auto & [keyword, value] : schema.items()) {
        if (notes.count(keyword) == 0) {
            return "";
        }
    }
    if (schema.at("type") != "string") {
        return "";
    }
    if (!schema.contains("enum")) {
        return R"("'" ([^'\\\x00-\x1F] | "\\" ["'\\/bfnrt])* "'")";
    }
    std::string listed;
    for (const common_json & value : schema.at("enum")) {
        const std::string text = value.is_string() ? value.get<std::string>() : "";
        const bool        is_plain = std::none_of(text.begin(), text.end(), [](unsigned char c) { return c == '\'' || c == '\\' || c < 0x20; });
        if (value.is_string() && is_plain) {
            listed += (listed.empty() ? "" : " | ") + gbnf_literal("'" + text + "'");
        }
    }
    return listed;
}

bool resolves_to_string(common_schema_info & info, const common_json & schema) {
    try {
        return schema.is_object() && info.resolves_to_string(schema);
    } catch (const std::bad_alloc &) {
        throw;
    } catch (...) {
        throw NoGrammar(); // a keyword of the wrong form
    }
}

} // namespace

ToolSchemas::ToolSchemas(const std::vector<common_chat_tool> & tools) {
    for (const common_chat_tool & tool : tools) {
        common_json parameters = common_json::parse_no_throw(tool.parameters);
        if (parameters.is_discarded()) {
            throw NoGrammar();
        }
        roots_.push_back(as_arguments(std::move(parameters)));
        const common_json & root = roots_.back();
        common_schema_info  info;
        if (tool.parameters.find("\"$ref\"") != std::string::npos) {
            common_json copy = root;
            try {
                info.resolve_refs(copy);
            } catch (const std::bad_alloc &) {
                throw;
            } catch (...) {
                throw NoGrammar();
            }
        }
        stand_ins_.push_back({ tool.name, tool.description, stand_in(root, root, true, info).dump_safe() });
    }
}

common_json ToolSchemas::members_of(const common_json & properties, const common_json & root, const std::vector<std::string> & required,
                                    common_schema_info & info) {
    if (!properties.is_object()) {
        throw NoGrammar();
    }
    common_json members = common_json::object();
    for (const auto & [name, schema] : properties.items()) {
        const bool is_required = std::find(required.begin(), required.end(), name) != required.end();
        const bool is_never    = schema.is_boolean() && !schema.get<bool>();
        if (!schema.is_object() && !schema.is_boolean()) {
            throw NoGrammar();
        }
        if (!is_never) {
            members[name] = stand_in(schema, root, is_required, info);
        } else if (is_required) {
            throw NoGrammar();
        }
    }
    return members;
}

/**
 * What templates and builders look at: types, properties, items, alternatives, and whatever describes. Nothing in it refers to anything,
 * and upstream's converter stops at the constant.
 */
common_json ToolSchemas::stand_in(const common_json & schema, const common_json & root, bool required, common_schema_info & info) {
    common_json out = common_json::object();
    if (schema.is_object()) {
        for (const auto & [keyword, value] : schema.items()) {
            if (keyword == "type" ? is_types(value) : keyword == "enum" || (!value.is_object() && !value.is_array() && keyword != "$ref")) {
                out[keyword] = value;
            }
        }
        const bool is_text = &schema != &root && resolves_to_string(info, schema);
        if (is_text && (schema.contains("$ref") || schema.contains("allOf"))) {
            out["minLength"] = 0; // a sign of text that needs no reference
        }
        const std::vector<std::string> names = required_of(schema);
        if (!names.empty()) {
            out["required"] = names;
        }
        if (schema.contains("properties")) {
            out["properties"] = members_of(schema.at("properties"), root, names, info);
        }
        if (schema.contains("items") && schema.at("items").is_object()) {
            out["items"] = stand_in(schema.at("items"), root, false, info);
        }
        for (const char * keyword : { "oneOf", "anyOf" }) {
            if (schema.contains(keyword) && schema.at(keyword).is_array()) {
                common_json alternatives = common_json::array();
                for (size_t i = 0; i < schema.at(keyword).size(); i++) {
                    alternatives.push_back(stand_in(schema.at(keyword).at(i), root, false, info));
                }
                out[keyword] = alternatives;
            }
        }
        if (is_text) {
            return out;
        }
    }
    out["const"] = static_cast<int64_t>(parts_.size());
    parts_.push_back({ &root, &schema, required });
    return out;
}

std::string ToolSchemas::rule_of(const common_json & stand_in, GbnfText & rules) const {
    const Part &                     part  = parts_.at(static_cast<size_t>(stand_in.at("const").get<int64_t>()));
    const std::optional<std::string> found = schema_rules(*part.schema, *part.root, rules);
    if (!found && part.required) {
        throw NoGrammar();
    }
    return found ? *found : rules.never();
}

std::optional<std::string> ToolSchemas::value_rule_of(const std::string & tool, const std::string & parameter, ValueForm form,
                                                      GbnfText & rules) const {
    for (size_t i = 0; i < stand_ins_.size(); i++) {
        const common_json & root = roots_[i];
        if (stand_ins_[i].name == tool && root.contains("properties") && root.at("properties").contains(parameter)) {
            const common_json & schema = root.at("properties").at(parameter);
            switch (form) {
                case ValueForm::TEXT: return text_rules(schema, root, rules);
                case ValueForm::JSON: return schema_rules(schema, root, rules);
                case ValueForm::PYTHON: {
                    if (!is_scalar(schema)) {
                        return std::nullopt;
                    }
                    const std::optional<std::string> json   = schema_rules(schema, root, rules);
                    const std::string                python = json ? single_quoted(schema) : std::string();
                    return python.empty() ? json : rules.add(*json + " | " + python);
                }
            }
        }
    }
    return std::nullopt;
}

void ToolSchemas::enforce(common_chat_params & params) const {
    if (params.grammar.empty()) {
        return;
    }
    GbnfText rules("dbs-tool-");
    const ValueRule        apart  = [&](const std::string & tool, const std::string & parameter, ValueForm form) {
        return value_rule_of(tool, parameter, form, rules);
    };
    const common_peg_arena parser = with_value_rules(params.parser, apart);
    const std::string grammar = build_grammar([&](const common_grammar_builder & theirs) {
        common_grammar_builder ours = theirs;
        ours.add_schema             = [&](const std::string & name, const common_json & schema) {
            const bool is_ours = schema.contains("const") && schema.at("const").is_number_integer();
            return is_ours ? rule_of(schema, rules) : theirs.add_schema(name, schema);
        };
        parser.build_grammar(ours, params.grammar_lazy);
    });
    params.grammar = grammar + rules.text();
}

} // namespace dbs
