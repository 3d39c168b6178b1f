#include "schema_merge.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

namespace dbs {

namespace {

constexpr int    max_hops     = 100000;
constexpr int    max_spent    = 50000;
constexpr size_t max_compared = size_t{ 10 } << 20; // values of enums looked at
constexpr int    max_depth    = 500;
constexpr int    max_looks    = 32; // how deep `oneOf` is looked into
constexpr size_t max_choices  = 64;

const std::set<std::string> annotations = { "title",      "description", "default",    "examples", "example", "$schema",          "$id",        "id",
                                            "$comment",   "$defs",       "definitions", "readOnly", "writeOnly", "deprecated",     "$anchor",    "$vocabulary",
                                            "contentMediaType", "contentEncoding", "contentSchema", "nullable", "discriminator" };

const std::set<std::string> lower_bounds = { "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains" };
const std::set<std::string> upper_bounds = { "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains" };

Verdict worse(Verdict left, Verdict right) {
    return left == Verdict::NO || right == Verdict::NO ? Verdict::NO : left == Verdict::YES ? right : left;
}

bool is_whole(const common_json & value) {
    return value.is_number_integer() || (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
}

bool has_type(const common_json & value, const std::string & type) {
    return type == "object"    ? value.is_object()
           : type == "array"   ? value.is_array()
           : type == "string"  ? value.is_string()
           : type == "number"  ? value.is_number()
           : type == "integer" ? is_whole(value)
           : type == "boolean" ? value.is_boolean()
                               : type == "null" && value.is_null();
}

std::vector<common_json> elements(const common_json & array) {
    if (!array.is_array()) {
        throw NoGrammar();
    }
    std::vector<common_json> out;
    for (size_t i = 0; i < array.size(); i++) {
        out.push_back(array.at(i));
    }
    return out;
}

/** The types that a schema lets through. */
std::set<std::string> types_of(const common_json & schema) {
    std::set<std::string> out;
    if (!schema.contains("type")) {
        return { "object", "array", "string", "number", "boolean", "null" };
    }
    const common_json & type = schema.at("type");
    for (const common_json & one : type.is_array() ? elements(type) : std::vector<common_json>{ type }) {
        if (!one.is_string()) {
            throw NoGrammar();
        }
        const std::string name = one.get<std::string>();
        out.insert(name == "integer" ? "number" : name);
    }
    return out;
}

bool requires_name(const common_json & schema, const std::string & name) {
    if (!schema.contains("required")) {
        return false;
    }
    const std::vector<common_json> names = elements(schema.at("required"));
    return std::find(names.begin(), names.end(), common_json(name)) != names.end();
}

size_t length_of(const std::string & text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::optional<Decimal> decimal(const common_json & value) {
    return value.is_number() ? decimal_of(value.dump()) : std::nullopt;
}

common_json conjunction(const common_json & left, const common_json & right) {
    for (const auto & [one, other] : { std::pair<const common_json &, const common_json &>(left, right), std::pair<const common_json &, const common_json &>(right, left) }) {
        if (one.is_boolean()) {
            return one.get<bool>() ? other : one;
        }
    }
    if (left == right) {
        return left;
    }
    common_json out = common_json::object();
    out["allOf"]    = common_json::array({ left, right });
    return out;
}

} // namespace

// ---- references

void SchemaReferences::spend() {
    if (++spent_ > max_spent) {
        throw NoGrammar();
    }
}

bool SchemaReferences::is_among(const common_json & value, const common_json & values) {
    if (!values.is_array()) {
        throw NoGrammar();
    }
    for (size_t i = 0; i < values.size(); i++) {
        if (++compared_ > max_compared) {
            throw NoGrammar();
        }
        if (values.at(i) == value) {
            return true;
        }
    }
    return false;
}

const common_json * SchemaReferences::member(const common_json & object, const std::string & name) {
    if (object.size() < 32) {
        return object.contains(name) ? &object.at(name) : nullptr;
    }
    auto & members = large_[&object];
    if (members.empty()) {
        for (const auto & [key, value] : object.items()) {
            members.emplace(key, &value);
        }
    }
    const auto found = members.find(name);
    return found == members.end() ? nullptr : found->second;
}

const common_json & SchemaReferences::resolve(const common_json & reference) {
    if (!reference.is_string()) {
        throw NoGrammar();
    }
    const std::string text = reference.get<std::string>();
    if (text.empty() || text[0] != '#' || (text.size() > 1 && text[1] != '/')) {
        throw NoGrammar(); // remote, or an anchor
    }
    const common_json * at = &root_;
    for (size_t i = 1; i < text.size();) {
        std::string name;
        for (i++; i < text.size() && text[i] != '/'; i++) {
            const auto hex = [&](size_t k) { return k < text.size() ? std::string("0123456789abcdef").find(static_cast<char>(std::tolower(text[k]))) : std::string::npos; };
            if (text[i] == '~' && i + 1 < text.size() && (text[i + 1] == '0' || text[i + 1] == '1')) {
                name += text[++i] == '0' ? '~' : '/';
            } else if (text[i] == '%' && hex(i + 1) != std::string::npos && hex(i + 2) != std::string::npos) {
                name += static_cast<char>(hex(i + 1) * 16 + hex(i + 2));
                i += 2;
            } else {
                name += text[i];
            }
        }
        if (at->is_object()) {
            at = member(*at, name);
        } else if (at->is_array() && !name.empty() && name.size() < 9 && name.find_first_not_of("0123456789") == std::string::npos &&
                   std::stoul(name) < at->size()) {
            at = &at->at(std::stoul(name));
        } else {
            at = nullptr;
        }
        if (at == nullptr) {
            throw NoGrammar();
        }
    }
    return *at;
}

const common_json & SchemaReferences::target(const common_json & schema) {
    const common_json * at = &schema;
    for (int hops = 0; hops < max_hops; hops++) {
        if (!at->is_object() || !at->contains("$ref")) {
            return *at;
        }
        for (const auto & [key, value] : at->items()) {
            if (key != "$ref" && annotations.count(key) == 0) {
                return *at;
            }
        }
        at = &resolve(at->at("$ref"));
    }
    throw NoGrammar(); // leads to itself
}

// ---- values

Verdict SchemaReferences::accepts(const common_json & schema, const common_json & value) {
    return accepts(schema, value, 0);
}

Verdict SchemaReferences::accepts(const common_json & given, const common_json & value, int depth) {
    spend();
    if (depth > max_depth) {
        throw NoGrammar();
    }
    const common_json & schema = target(given);
    if (schema.is_boolean()) {
        return schema.get<bool>() ? Verdict::YES : Verdict::NO;
    }
    if (!schema.is_object()) {
        throw NoGrammar();
    }
    Verdict    verdict = Verdict::YES;
    const auto ask     = [&](const common_json & part, const common_json & of) { verdict = worse(verdict, accepts(part, of, depth + 1)); };
    const auto need    = [&](bool holds) { verdict = holds ? verdict : Verdict::NO; };
    const auto bounded = [&](const common_json & limit, const std::optional<Decimal> & actual, int wanted, bool equal) {
        const std::optional<Decimal> bound = decimal(limit);
        if (!bound || !actual) {
            verdict = worse(verdict, Verdict::UNKNOWN);
            return;
        }
        const int order = SchemaMerge::compare(*actual, *bound);
        need(order == wanted || (order == 0 && equal));
    };
    const auto count = [](size_t number) { return std::optional<Decimal>(Decimal{ static_cast<int64_t>(number), 0 }); };
    for (const auto & [key, part] : schema.items()) {
        if (verdict == Verdict::NO) {
            break;
        }
        if (key == "$ref") {
            ask(resolve(part), value);
        } else if (key == "type") {
            const std::vector<common_json> types = part.is_array() ? elements(part) : std::vector<common_json>{ part };
            need(std::any_of(types.begin(), types.end(), [&](const common_json & type) { return type.is_string() && has_type(value, type.get<std::string>()); }));
        } else if (key == "const") {
            need(part == value);
        } else if (key == "enum") {
            need(is_among(value, part));
        } else if (key == "allOf") {
            for (const common_json & one : elements(part)) {
                ask(one, value);
            }
        } else if (key == "anyOf" || key == "oneOf") {
            int  yes     = 0;
            bool unknown = false;
            for (const common_json & one : elements(part)) {
                const Verdict found = accepts(one, value, depth + 1);
                yes += found == Verdict::YES ? 1 : 0;
                unknown |= found == Verdict::UNKNOWN;
            }
            if (key == "anyOf" ? yes == 0 : yes != 1 || unknown) {
                verdict = worse(verdict, unknown && (key == "anyOf" || yes < 2) ? Verdict::UNKNOWN : Verdict::NO);
            }
        } else if (key == "not") {
            const Verdict found = accepts(part, value, depth + 1);
            verdict = worse(verdict, found == Verdict::YES ? Verdict::NO : found == Verdict::NO ? Verdict::YES : found);
        } else if (key == "minimum" || key == "exclusiveMinimum") {
            if (value.is_number() && !part.is_boolean()) {
                bounded(part, decimal(value), 1, key == "minimum");
            }
        } else if (key == "maximum" || key == "exclusiveMaximum") {
            if (value.is_number() && !part.is_boolean()) {
                bounded(part, decimal(value), -1, key == "maximum");
            }
        } else if (key == "minLength" || key == "maxLength") {
            if (value.is_string()) {
                bounded(part, count(length_of(value.get<std::string>())), key == "minLength" ? 1 : -1, true);
            }
        } else if (key == "minItems" || key == "maxItems") {
            if (value.is_array()) {
                bounded(part, count(value.size()), key == "minItems" ? 1 : -1, true);
            }
        } else if (key == "minProperties" || key == "maxProperties") {
            if (value.is_object()) {
                bounded(part, count(value.size()), key == "minProperties" ? 1 : -1, true);
            }
        } else if (key == "required") {
            if (value.is_object()) {
                for (const common_json & name : elements(part)) {
                    need(name.is_string() && value.contains(name.get<std::string>()));
                }
            }
        } else if (key == "properties" || key == "additionalProperties") {
            if (value.is_object()) {
                for (const auto & [name, of] : value.items()) {
                    const bool named = schema.contains("properties") && schema.at("properties").is_object() && schema.at("properties").contains(name);
                    if (key == "properties" && named) {
                        ask(part.at(name), of);
                    } else if (key != "properties" && !named) {
                        ask(part, of);
                    }
                }
            }
        } else if (key == "prefixItems" || (key == "items" && part.is_array())) {
            for (size_t i = 0; value.is_array() && i < value.size() && i < part.size(); i++) {
                ask(part.at(i), value.at(i));
            }
        } else if (key == "items") {
            const size_t from = schema.contains("prefixItems") ? schema.at("prefixItems").size() : 0;
            for (size_t i = from; value.is_array() && i < value.size(); i++) {
                ask(part, value.at(i));
            }
        } else if (key == "uniqueItems") {
            if (value.is_array() && part == common_json(true)) {
                std::set<std::string> seen;
                for (size_t i = 0; i < value.size(); i++) {
                    need(seen.insert(value.at(i).dump_safe()).second);
                }
            }
        } else if (key == "pattern" || key == "format") {
            verdict = value.is_string() ? worse(verdict, Verdict::UNKNOWN) : verdict;
        } else if (key == "multipleOf") {
            if (value.is_number() && !(is_whole(value) && part == common_json(1))) {
                verdict = worse(verdict, Verdict::UNKNOWN);
            }
        } else if (key == "if" || key == "contains" || key == "patternProperties" || key == "propertyNames" || key == "dependentRequired" ||
                   key == "dependentSchemas" || key == "dependencies" || key == "additionalItems" || key == "unevaluatedProperties" ||
                   key == "unevaluatedItems" || key == "$dynamicRef" || key == "$recursiveRef") {
            verdict = value.is_object() || value.is_array() || key == "if" || key[0] == '$' ? worse(verdict, Verdict::UNKNOWN) : verdict;
        }
    }
    return verdict;
}

bool SchemaReferences::are_apart(const common_json & alternatives, const common_json & rest) {
    std::vector<common_json> whole;
    for (const common_json & alternative : elements(alternatives)) {
        whole.push_back(SchemaMerge(*this).both(rest, alternative));
    }
    if (whole.size() > max_choices) {
        return false;
    }
    for (size_t i = 0; i < whole.size(); i++) {
        for (size_t k = 0; k < whole.size(); k++) {
            if (i != k && !is_apart(whole[i], whole[k], 0)) {
                return false;
            }
        }
    }
    return true;
}

/** Whether no value that is written for `written` is valid under `other`. */
bool SchemaReferences::is_apart(const common_json & written, const common_json & other, int depth) {
    spend();
    if (depth > max_looks) {
        return false;
    }
    const common_json left  = SchemaMerge(*this).flat(written);
    const common_json right = SchemaMerge(*this).flat(other);
    if (left.is_boolean() || right.is_boolean()) {
        return left == common_json(false) || right == common_json(false);
    }
    if (left.contains("const") || left.contains("enum")) {
        for (const common_json & value : left.contains("const") ? std::vector<common_json>{ left.at("const") } : elements(left.at("enum"))) {
            if (accepts(left, value) != Verdict::NO && accepts(right, value) != Verdict::NO) {
                return false;
            }
        }
        return true;
    }
    if (right.contains("const") || right.contains("enum")) {
        const std::vector<common_json> values = right.contains("const") ? std::vector<common_json>{ right.at("const") } : elements(right.at("enum"));
        return std::all_of(values.begin(), values.end(), [&](const common_json & value) { return accepts(left, value) == Verdict::NO; });
    }
    for (const auto & [one, is_left] : { std::pair<const common_json &, bool>(left, true), std::pair<const common_json &, bool>(right, false) }) {
        for (const char * keyword : { "anyOf", "oneOf" }) {
            if (one.contains(keyword)) {
                for (const common_json & alternative : elements(one.at(keyword))) {
                    if (!is_apart(is_left ? alternative : left, is_left ? right : alternative, depth + 1)) {
                        return false;
                    }
                }
                return true;
            }
        }
    }
    const std::set<std::string> left_types = types_of(left);
    std::vector<std::string>    common;
    for (const std::string & type : types_of(right)) {
        if (left_types.count(type) > 0) {
            common.push_back(type);
        }
    }
    if (common.empty()) {
        return true;
    }
    if (common != std::vector<std::string>{ "object" }) {
        return false;
    }
    const auto named = [](const common_json & schema, const std::string & name) {
        return schema.contains("properties") && schema.at("properties").is_object() && schema.at("properties").contains(name);
    };
    const bool names_some = (left.contains("properties") && !left.at("properties").empty()) || left.contains("required");
    if (right.contains("required") && names_some && (!left.contains("additionalProperties") || left.at("additionalProperties") == common_json(false))) {
        for (const common_json & name : elements(right.at("required"))) {
            if (name.is_string() && !named(left, name.get<std::string>()) && !requires_name(left, name.get<std::string>())) {
                return true; // never written
            }
        }
    }
    if (!left.contains("properties") || !left.at("properties").is_object()) {
        return false;
    }
    for (const auto & [name, schema] : left.at("properties").items()) {
        if (!requires_name(left, name)) {
            continue;
        }
        if (named(right, name)) {
            if (is_apart(schema, right.at("properties").at(name), depth + 1)) {
                return true;
            }
        } else if (right.contains("additionalProperties") && right.at("additionalProperties") == common_json(false) && !right.contains("patternProperties")) {
            return true;
        }
    }
    return false;
}

// ---- merging

bool SchemaMerge::is_bare(const common_json & schema) {
    for (const auto & [key, value] : schema.items()) {
        if (annotations.count(key) == 0) {
            return false;
        }
    }
    return true;
}

int SchemaMerge::compare(const Decimal & left, const Decimal & right) {
    __int128 a     = left.mantissa;
    __int128 b     = right.mantissa;
    int      scale = left.scale - right.scale;
    // Beyond eighteen places one of them is next to nothing, and its sign decides.
    for (int i = 0; i < std::min(std::abs(scale), 19); i++) {
        (scale > 0 ? b : a) *= 10;
    }
    return a < b ? -1 : a > b ? 1 : 0;
}

common_json SchemaMerge::flat(const common_json & schema) {
    return flat(schema, 0);
}

common_json SchemaMerge::both(const common_json & left, const common_json & right) {
    return merged(flat(left, 0), flat(right, 0));
}

common_json SchemaMerge::flat(const common_json & given, int depth) {
    references_.spend();
    if (depth > max_depth) {
        throw NoGrammar();
    }
    const common_json & schema = references_.target(given);
    if (schema.is_boolean()) {
        return schema;
    }
    if (!schema.is_object()) {
        throw NoGrammar();
    }
    if (!schema.contains("$ref") && !schema.contains("allOf")) {
        return schema;
    }
    common_json out = common_json::object();
    for (const auto & [key, value] : schema.items()) {
        if (key != "$ref" && key != "allOf" && annotations.count(key) == 0) {
            out[key] = value;
        }
    }
    if (schema.contains("$ref")) {
        out = merged(flat(references_.resolve(schema.at("$ref")), depth + 1), out);
    }
    if (schema.contains("allOf")) {
        for (const common_json & part : elements(schema.at("allOf"))) {
            out = merged(out, flat(part, depth + 1));
        }
    }
    return out;
}

common_json SchemaMerge::merged(const common_json & left, const common_json & right) {
    if (left.is_boolean() || right.is_boolean()) {
        return conjunction(left, right);
    }
    common_json out = left;
    merge_properties(out, left, right);
    for (const auto & [key, value] : right.items()) {
        if (key == "properties" || key == "additionalProperties" || annotations.count(key) > 0) {
            continue;
        }
        if (!out.contains(key)) {
            out[key] = value;
        } else if (!(out.at(key) == value)) {
            merge_keyword(out, key, value);
            if (out.is_boolean()) {
                return out;
            }
        }
    }
    // The one's `items` would be asked of the other's first elements too.
    for (const auto & [one, other] : { std::pair<const common_json &, const common_json &>(left, right), std::pair<const common_json &, const common_json &>(right, left) }) {
        if (one.contains("prefixItems") && !other.contains("prefixItems") && other.contains("items") && left_out_.empty()) {
            left_out_ = "items";
        }
    }
    return out;
}

void SchemaMerge::merge_properties(common_json & out, const common_json & left, const common_json & right) {
    const auto has = [](const common_json & schema, const char * keyword) { return schema.contains(keyword); };
    if (!has(right, "properties") && !has(right, "additionalProperties")) {
        return;
    }
    for (const common_json * one : { &left, &right }) {
        if (has(*one, "properties") && !one->at("properties").is_object()) {
            throw NoGrammar();
        }
    }
    const auto  of = [&](const common_json & schema, const std::string & name) -> common_json {
        if (has(schema, "properties") && schema.at("properties").contains(name)) {
            return schema.at("properties").at(name);
        }
        return has(schema, "additionalProperties") ? schema.at("additionalProperties") : common_json(true);
    };
    common_json properties = common_json::object();
    for (const common_json * one : { &left, &right }) {
        if (has(*one, "properties")) {
            for (const auto & [name, value] : one->at("properties").items()) {
                if (!properties.contains(name)) {
                    properties[name] = conjunction(of(left, name), of(right, name));
                }
            }
        }
    }
    if (!properties.empty()) {
        out["properties"] = properties;
    }
    if (has(left, "additionalProperties") || has(right, "additionalProperties")) {
        const common_json open(true);
        out["additionalProperties"] = conjunction(has(left, "additionalProperties") ? left.at("additionalProperties") : open,
                                                  has(right, "additionalProperties") ? right.at("additionalProperties") : open);
    }
}

/** Brings `value` together with what `out` says already under this keyword, which is not the same. */
void SchemaMerge::merge_keyword(common_json & out, const std::string & keyword, const common_json & value) {
    const common_json old = out.at(keyword);
    if (keyword == "type") {
        common_json types = common_json::array();
        for (const common_json & one : old.is_array() ? elements(old) : std::vector<common_json>{ old }) {
            for (const common_json & other : value.is_array() ? elements(value) : std::vector<common_json>{ value }) {
                if (one == other || (one == common_json("integer") && other == common_json("number"))) {
                    types.push_back(one);
                } else if (one == common_json("number") && other == common_json("integer")) {
                    types.push_back(other);
                }
            }
        }
        if (types.empty()) {
            out = common_json(false);
        } else {
            out["type"] = types.size() == 1 ? common_json(types.at(0)) : types;
        }
    } else if (keyword == "required") {
        common_json names = old;
        for (const common_json & name : elements(value)) {
            names.push_back(name);
        }
        out["required"] = names;
    } else if (keyword == "const") {
        out = common_json(false);
    } else if (keyword == "enum") {
        const std::vector<common_json> wanted = elements(value);
        common_json                    values = common_json::array();
        for (const common_json & one : elements(old)) {
            if (std::find(wanted.begin(), wanted.end(), one) != wanted.end()) {
                values.push_back(one);
            }
        }
        if (values.empty()) {
            out = common_json(false);
        } else {
            out["enum"] = values;
        }
    } else if ((lower_bounds.count(keyword) > 0 || upper_bounds.count(keyword) > 0) && decimal(old) && decimal(value)) {
        const int order = compare(*decimal(value), *decimal(old));
        if (lower_bounds.count(keyword) > 0 ? order > 0 : order < 0) {
            out[keyword] = value;
        }
    } else if ((keyword == "items" && !old.is_array() && !value.is_array()) || keyword == "propertyNames") {
        out[keyword] = conjunction(old, value);
    } else if (keyword == "uniqueItems") {
        out[keyword] = true;
    } else if (keyword == "unevaluatedProperties" || keyword == "unevaluatedItems") {
        out[keyword] = false;
    } else if (keyword == "multipleOf" && old.is_number_integer() && value.is_number_integer() && old.get<int64_t>() > 0 && value.get<int64_t>() > 0 &&
               old.get<int64_t>() < 1000000 && value.get<int64_t>() < 1000000) {
        out[keyword] = std::lcm(old.get<int64_t>(), value.get<int64_t>());
    } else if (keyword == "anyOf" || keyword == "oneOf") {
        common_json pairs = common_json::array();
        for (const common_json & one : elements(old)) {
            for (const common_json & other : elements(value)) {
                if (pairs.size() == max_choices) {
                    throw NoGrammar();
                }
                pairs.push_back(conjunction(one, other));
            }
        }
        out[keyword] = pairs;
    } else if (left_out_.empty()) {
        static const std::set<std::string> named = { "pattern",  "format",      "not",    "if",   "then",     "else",   "contains", "patternProperties", "dependentRequired",
                                                     "dependentSchemas", "dependencies", "items", "prefixItems", "multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum" };
        if (named.count(keyword) > 0) {
            left_out_ = keyword;
        }
    }
}

} // namespace dbs
