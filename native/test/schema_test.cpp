// The converter of JSON schemas, keyword by keyword: which texts its grammars accept. Nothing is generated here; StructuredOutputTest does that.

#include <algorithm>
#include <string>
#include <vector>

#include "check.h"
#include "grammar_matcher.h"
#include "grammar_rules.h"
#include "json.h"
#include "token_trie.h"

namespace {

struct Case {
    const char *              schema;
    std::vector<const char *> accepted;
    std::vector<const char *> refused;
};

std::string grammar_of(const std::string & schema) {
    dbs_text *        gbnf   = nullptr;
    const int32_t     status = dbs_schema_to_grammar(schema.data(), schema.size(), &gbnf);
    dbs_slice         slice  = {};
    dbs_text_get(gbnf, &slice);
    const std::string out = status == DBS_OK ? text(slice) : std::string();
    dbs_text_free(gbnf);
    return out;
}

/** The keyword that the grammar leaves out and its place; empty where it enforces all. */
std::string left_out(const std::string & schema) {
    dbs_text * words = nullptr;
    dbs_schema_check(schema.data(), schema.size(), &words);
    dbs_slice slice = {};
    dbs_text_get(words, &slice);
    const std::string out = text(slice);
    dbs_text_free(words);
    return out;
}

/** Whether a text, the whole of it, is one of the grammar's. */
bool accepts(const dbs::GrammarRules & rules, const dbs::TokenTrie & trie, const std::string & text) {
    dbs::GrammarMatcher matcher(rules, trie);
    try {
        for (size_t at = 0; at < text.size();) {
            const auto   lead   = static_cast<unsigned char>(text[at]);
            const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
            matcher.renew();
            matcher.accept(-1, text.substr(at, length)); // no token: the text alone counts
            at += length;
        }
    } catch (const std::exception &) {
        return false;
    }
    return matcher.may_end();
}

void check(const Demo & demo, const dbs::TokenTrie & trie, const Case & one) {
    const std::string gbnf = grammar_of(one.schema);
    dbs::GrammarRules rules;
    const bool        is_grammar = !gbnf.empty() && rules.compile(demo.vocab, gbnf);
    CHECK(is_grammar);
    if (!is_grammar) {
        std::fprintf(stdout, "  %s\n", one.schema);
        return;
    }
    for (const char * text : one.accepted) {
        const bool is_accepted = accepts(rules, trie, text);
        CHECK(is_accepted);
        if (!is_accepted) {
            std::fprintf(stdout, "  %s\n  refuses %s\n", one.schema, text);
        }
    }
    for (const char * text : one.refused) {
        const bool is_refused = !accepts(rules, trie, text);
        CHECK(is_refused);
        if (!is_refused) {
            std::fprintf(stdout, "  %s\n  accepts %s\n", one.schema, text);
        }
    }
}

// Enforced whole, each of them.
const Case types[] = {
    { "{}", { "1", "\"a\"", "null", "true", "[]", "{}", "[1, {\"a\": [null]}]" }, { "", "a", "[1", "{1: 2}", "01" } },
    { R"({"type":"string"})", { R"("")", R"("a b")", R"("\"\\\/\b\f\n\r\t")", R"("\u00e9")", "\"é\"", "\"😀\"" },
      { "a", R"("a)", R"("\x")", "\"a\nb\"", R"("\ud800")", R"("a"b")" } },
    { R"({"type":"integer"})", { "0", "-7", "1234567890123456" }, { "1.5", "1e3", "01", "+1", "-", "12345678901234567", "\"1\"" } },
    { R"({"type":"number"})", { "0", "-0.5", "1e3", "12.25E-2" }, { ".5", "1.", "0x1", "NaN", "Infinity" } },
    { R"({"type":"boolean"})", { "true", "false" }, { "True", "1", "null" } },
    { R"({"type":"null"})", { "null" }, { "nil", "\"null\"" } },
    { R"({"type":["integer","null"]})", { "3", "null" }, { "3.5", "\"a\"" } },
    { R"({"type":["integer","number"]})", { "3", "3.5" }, { "null" } },
    { R"({"type":"array"})", { "[]", "[1,\"a\"]", "[ 1, 2 ]" }, { "[1,]", "[,]", "{}" } },
    { R"({"type":"object"})", { "{}", R"({"a":1})", R"({ "a": 1, "b": {} })" }, { "[]", R"({"a"})", R"({a:1})", R"({"a":1,})" } },
};

const Case values[] = {
    { R"({"const":{"a":[1,"x"]}})", { R"({"a":[1,"x"]})" }, { R"({"a":[1,"y"]})", "{}" } },
    { R"({"enum":["a\"b","c\\d","é",null,2]})", { R"("a\"b")", R"("c\\d")", "\"é\"", "null", "2" }, { R"("a")", "3", "\"null\"" } },
    { R"({"enum":["a",1],"type":"string"})", { "\"a\"" }, { "1" } },
    { R"({"enum":[1,5,9],"minimum":4})", { "5", "9" }, { "1" } },
    { R"({"enum":["a","bc"],"not":{"const":"a"}})", { "\"bc\"" }, { "\"a\"" } },
};

const Case numbers[] = {
    { R"({"type":"integer","minimum":3,"maximum":12})", { "3", "7", "12" }, { "2", "13", "-3", "03", "3.0" } },
    { R"({"type":"integer","exclusiveMinimum":3,"exclusiveMaximum":12})", { "4", "11" }, { "3", "12" } },
    { R"({"type":"integer","minimum":-15,"maximum":-4})", { "-15", "-9", "-4" }, { "-16", "-3", "0", "4" } },
    { R"({"type":"integer","minimum":95})", { "95", "100", "123456" }, { "94", "-95", "9" } },
    { R"({"type":"integer","maximum":-95})", { "-95", "-1000" }, { "-94", "0", "95" } },
    { R"({"type":"number","minimum":0.25,"maximum":1.5})", { "0.25", "1", "1.5", "0.9999" }, { "0.2", "1.51", "-1", "2" } },
    { R"({"type":"number","exclusiveMinimum":0,"maximum":1})", { "0.5", "1" }, { "0", "-0.1", "1.001" } },
    { R"({"minimum":1,"exclusiveMinimum":true,"type":"integer"})", { "2" }, { "1", "0" } },
    { R"({"type":"integer","multipleOf":7})", { "0", "7", "-14", "98" }, { "1", "-6", "97" } },
    { R"({"type":"integer","multipleOf":10,"minimum":25,"maximum":60})", { "30", "60" }, { "20", "25", "70" } },
    { R"({"type":"number","multipleOf":0.1})", { "0.2", "1", "2.7" }, { "0.25", "1.11" } },
};

const Case strings[] = {
    { R"({"type":"string","minLength":2,"maxLength":3})", { "\"ab\"", "\"abc\"", "\"é😀\"", R"("\n\"")" }, { "\"a\"", "\"abcd\"", "\"\"" } },
    { R"({"type":"string","maxLength":0})", { "\"\"" }, { "\"a\"" } },
    { R"({"type":"string","pattern":"^[a-z]+-\\d{2}$"})", { "\"ab-12\"" }, { "\"AB-12\"", "\"ab-1\"", "\"ab-123\"", "\"xab-12 \"" } },
    { R"({"type":"string","pattern":"^(yes|no)?$"})", { "\"yes\"", "\"\"" }, { "\"maybe\"", "\"yesno\"" } },
    { R"({"type":"string","pattern":"^.$"})", { "\"a\"", R"("\"")", R"("\\")" }, { "\"\"\"", "\"\\\"", "\"ab\"" } },
    { R"({"type":"string","pattern":"b"})", { "\"b\"", "\"abc\"" }, { "\"\"", "\"ac\"" } },
    { R"({"type":"string","pattern":"^[^a]$"})", { "\"b\"" }, { "\"a\"", "\"\"\"" } },
    { R"({"type":"string","pattern":"^\\w\\s\\W$"})", { "\"a !\"" }, { "\"a!!\"", "\"aaa\"" } },
};

const Case formats[] = {
    { R"({"type":"string","format":"email"})", { "\"a@b.de\"", "\"first.last+tag@sub.example-one.org\"" },
      { "\"a\"", "\"@b.de\"", "\"a@b\"", "\"a@@b.de\"", "\"a b@c.de\"", "\".a@b.de\"", "\"a.@b.de\"", "\"a..b@c.de\"", "\"a@-b.de\"", "\"a@b-.de\"", "\"a@b.d\"" } },
    { R"({"type":"string","format":"date"})", { "\"2024-02-28\"", "\"1999-12-31\"" }, { "\"2024-02-30\"", "\"2024-13-01\"", "\"2024-4-1\"", "\"2024-04-31\"" } },
    { R"({"type":"string","format":"time"})", { "\"23:59:59Z\"", "\"00:00:00.5Z\"" }, { "\"24:00:00Z\"", "\"12:60:00Z\"", "\"12:00:00\"" } },
    { R"({"type":"string","format":"date-time"})", { "\"2024-02-28T12:00:00Z\"", "\"2024-02-28T12:00:00.123+02:00\"" },
      { "\"2024-02-28 12:00:00Z\"", "\"2024-02-28T12:00:00\"", "\"2024-02-28T12:00:00+99:00\"" } },
    { R"({"type":"string","format":"duration"})", { "\"P3D\"", "\"PT5M\"", "\"P2W\"" }, { "\"P\"", "\"3D\"", "\"PT\"" } },
    { R"({"type":"string","format":"uuid"})", { "\"123e4567-e89b-12d3-a456-426614174000\"" }, { "\"123e4567e89b12d3a456426614174000\"", "\"123e4567-e89b-12d3-a456-42661417400g\"" } },
    { R"({"type":"string","format":"ipv4"})", { "\"10.0.255.1\"" }, { "\"10.0.256.1\"", "\"10.0.1\"", "\"01.1.1.1\"" } },
    { R"({"type":"string","format":"ipv6"})", { "\"2001:db8:0:0:0:0:0:1\"" }, { "\"2001:db8\"", "\"g001:db8:0:0:0:0:0:1\"" } },
    { R"({"type":"string","format":"hostname"})", { "\"www.example.org\"" }, { "\"-a.org\"", "\"a..org\"", "\"a b\"" } },
    { R"({"type":"string","format":"uri"})", { "\"https://example.org/a/b.html\"" }, { "\"example.org\"", "\"https://\"", "\"https://a b.org\"" } },
};

const Case arrays[] = {
    { R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})", { "[1]", "[1,2,3]", "[ 1, 2 ]" }, { "[]", "[1,2,3,4]", "[\"a\"]" } },
    { R"({"type":"array","items":{"type":"null"},"maxItems":0})", { "[]" }, { "[null]" } },
    { R"({"type":"array","items":false})", { "[]" }, { "[1]" } },
    { R"({"prefixItems":[{"type":"integer"},{"type":"string"}]})", { "[1,\"a\"]" }, { "[\"a\",1]", "[1,\"a\",2]" } },
    { R"({"prefixItems":[{"type":"integer"}],"items":{"type":"boolean"}})", { "[1]", "[1,true,false]" }, { "[true]", "[1,2]" } },
    { R"({"type":"array","items":[{"type":"integer"}],"additionalItems":{"type":"null"}})", { "[1]", "[1,null]" }, { "[null]", "[1,1]" } },
    { R"({"prefixItems":[{"type":"integer"}],"minItems":2})", { "[1,\"x\"]" }, { "[1]" } },
    { R"({"type":"array","items":{"type":"array","items":{"enum":[1]}}})", { "[]", "[[],[1,1]]" }, { "[1]", "[[2]]" } },
    { R"({"type":"array","items":{"enum":["a","b",3]},"uniqueItems":true,"minItems":1})", { R"(["a"])", R"([3,"a"])", R"(["b", 3, "a"])" },
      { "[]", R"(["a","a"])", R"(["a",3,"b","a"])", R"(["c"])" } },
    { R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true,"maxItems":1})", { "[]", "[true]" }, { "[true,false]" } },
    { R"({"type":"array","items":{"type":"boolean"},"uniqueItems":true})", { "[]", "[false,true]" }, { "[true,true]" } },
    { R"({"type":"array","contains":{"const":1}})", { "[1]", "[1,\"a\"]" }, { "[]", "[2]", "{}" } },
    { R"({"type":"array","items":{"type":"integer"},"contains":{"minimum":5},"minContains":2,"maxItems":3})", { "[5,6]", "[7,8,1]" }, { "[5]", "[1,2]", "[5,6,7,8]" } },
    { R"({"type":"array","items":{"type":"integer"},"contains":{"type":"string"},"minContains":0})", { "[]", "[1]" }, { "[\"a\"]" } },
};

const Case objects[] = {
    { R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]})",
      { R"({"a":1})", R"({"a": 1, "b": "x"})", "{\n  \"a\": 1\n}" }, { "{}", R"({"b":"x"})", R"({"a":"x"})", R"({"a":1,"c":2})", R"({"a":1,"a":2})" } },
    { R"({"type":"object","properties":{"a":{}},"additionalProperties":{"type":"null"}})", { "{}", R"({"a":1,"b":null})", R"({"bc":null,"aa":null})" },
      { R"({"b":1})", R"({"b":null,"a":1})", R"({"a":1,"a":null})", R"({"\u0061":null})" } },
    { R"({"type":"object","additionalProperties":{"type":"integer"},"maxProperties":2})", { "{}", R"({"x":1,"y":2})" }, { R"({"x":1,"y":2,"z":3})", R"({"x":null})" } },
    { R"({"type":"object","additionalProperties":false})", { "{}" }, { R"({"a":1})" } },
    { R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"minProperties":2,"maxProperties":2})",
      { R"({"a":1,"b":2})", R"({"a":1,"c":3})", R"({"b":2,"c":3})" }, { "{}", R"({"a":1})", R"({"a":1,"b":2,"c":3})" } },
    { R"({"type":"object","additionalProperties":true,"propertyNames":{"pattern":"^[a-z]{2}$"}})", { "{}", R"({"ab":1,"cd":2})" }, { R"({"a":1})", R"({"ab":1,"abc":2})" } },
    { R"({"properties":{"a\"b":{"const":1}},"required":["a\"b"]})", { R"({"a\"b":1})" }, { "{}", R"({"a"b":1})" } },
    { R"({"required":["x"],"additionalProperties":{"type":"integer"}})", { R"({"x":1})", R"({"x":1,"y":2})" }, { "{}", R"({"y":2})" } },
    { R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1})", { R"({"x":1})", R"({"x":1,"y":2})" }, { "{}" } },
    { R"({"type":"object","properties":{"a":{},"b":{}},"additionalProperties":{"type":"null"},"minProperties":2})",
      { R"({"a":1,"b":2})", R"({"a":1,"c":null})", R"({"a":1,"b":2,"c":null})" }, { R"({"a":1})", R"({"c":null,"c":null})", "{}" } },
    { R"({"properties":{"card":{"const":1},"address":{"const":2},"x":{"const":3}},"dependentRequired":{"card":["address"]}})",
      { "{}", R"({"card":1,"address":2})", R"({"address":2,"x":3})" }, { R"({"card":1})", R"({"card":1,"x":3})" } },
    { R"({"properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}},"required":["b"],"dependentRequired":{"a":["b"],"b":["c"]},"additionalProperties":false})",
      { R"({"b":2,"c":3})", R"({"a":1,"b":2,"c":3})" }, { R"({"b":2})", R"({"a":1,"b":2})", "{}" } },
    { R"({"dependentRequired":{"a":["b"]},"additionalProperties":{"type":"null"}})", { "{}", R"({"c":null})", R"({"b":null,"a":null})" }, { R"({"a":null})" } },
    { R"({"properties":{"a":false,"b":{"const":1}}})", { "{}", R"({"b":1})" }, { R"({"a":1})" } },
};

const Case combined[] = {
    { R"({"anyOf":[{"type":"integer"},{"type":"null"}]})", { "1", "null" }, { "\"a\"" } },
    { R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"}},"required":["k"]}]})",
      { R"({"k":"a"})", R"({"k":"b"})" }, { R"({"k":"c"})", "{}" } },
    { R"({"allOf":[{"type":"integer","minimum":3},{"maximum":5}]})", { "3", "5" }, { "2", "6" } },
    { R"({"allOf":[{"properties":{"a":{"const":1}},"required":["a"]},{"properties":{"b":{"const":2}},"required":["b"]}]})", { R"({"a":1,"b":2})" }, { R"({"a":1})", "{}" } },
    { R"({"type":"string","anyOf":[{"maxLength":1},{"minLength":3}]})", { "\"a\"", "\"abc\"" }, { "\"ab\"", "1" } },
    { R"({"$ref":"#/$defs/a","$defs":{"a":{"type":"integer","maximum":9,"minimum":0}}})", { "5" }, { "10", "\"a\"" } },
    { R"({"$ref":"#/definitions/a~1b","definitions":{"a/b":{"enum":[1]}}})", { "1" }, { "2" } },
    { R"({"properties":{"a":{"$ref":"#/$defs/a","minimum":5}},"required":["a"],"$defs":{"a":{"type":"integer","maximum":9}}})", { R"({"a":7})" }, { R"({"a":4})", R"({"a":10})" } },
    { R"({"type":"object","properties":{"next":{"anyOf":[{"$ref":"#"},{"type":"null"}]}},"required":["next"]})",
      { R"({"next":null})", R"({"next":{"next":{"next":null}}})" }, { "{}", R"({"next":1})", R"({"next":{}})" } },
    { R"({"$ref":"#/$defs/list","$defs":{"list":{"type":"array","items":{"$ref":"#/$defs/list"}}}})", { "[]", "[[],[[]]]" }, { "[1]", "{}" } },
};

// What is left out is named with its place; the rest holds.
const struct {
    const char * schema;
    const char * keyword;
    const char * accepted;
    const char * refused;
} partly[] = {
    { R"({"type":"array","items":{"type":"integer"},"uniqueItems":true})", "uniqueItems at /", "[1,1]", "[\"a\"]" },
    { R"({"properties":{"a":{"type":"string","not":{"const":"x"}}}})", "not at /properties/0", R"({"a":"x"})", R"({"a":1})" },
    { R"({"type":"string","pattern":"^(?=a)b","maxLength":2})", "pattern at /", "\"ac\"", "\"abc\"" },
    { R"({"type":"string","format":"regex","minLength":1})", "format at /", "\"a\"", "\"\"" },
    { R"({"type":"number","multipleOf":0.25})", "multipleOf at /", "0.3", "\"1\"" },
    { R"({"type":"array","contains":{"const":1},"maxContains":1,"maxItems":1})", "contains at /", "[2]", "[1,1]" },
    { R"({"type":"object","additionalProperties":{"type":"null"},"minProperties":2})", "minProperties at /", R"({"a":null,"a":null})", "{}" },
};

/** Where values share beginnings, a grammar of many is still of these and no others. */
void many_values_are_told_apart(const Demo & demo, const dbs::TokenTrie & trie) {
    const std::string        parts[] = { "a", "ab", "\"", "\\", "é", "ê", "€", "😀", "😁", "\n", " ", "1" };
    std::vector<std::string> texts   = { "" };
    for (const std::string & one : parts) {
        for (const std::string & two : parts) {
            texts.push_back(one + two);
            texts.push_back(one + two + "tail");
        }
    }
    common_json schema = { { "enum", common_json::array() } };
    for (const std::string & text : texts) {
        schema["enum"].push_back(text);
    }
    for (int i = 0; i < 40; i++) {
        schema["enum"].push_back(i * 5);
    }
    const std::string gbnf = grammar_of(schema.dump_safe());
    dbs::GrammarRules rules;
    CHECK(rules.compile(demo.vocab, gbnf));
    for (const std::string & text : texts) {
        const std::string whole = common_json(text).dump_safe();
        CHECK(accepts(rules, trie, whole));
        CHECK(!accepts(rules, trie, whole.substr(0, whole.size() - 1)));
        const bool is_listed = std::find(texts.begin(), texts.end(), text + "t") != texts.end();
        CHECK(accepts(rules, trie, common_json(text + "t").dump_safe()) == is_listed);
    }
    CHECK(accepts(rules, trie, "195") && !accepts(rules, trie, "19") && !accepts(rules, trie, "1950"));
}

} // namespace

void test_schemas(const Demo & demo) {
    const dbs::TokenTrie trie(demo.vocab);
    const auto           all = [&](const auto & cases) {
        for (const Case & one : cases) {
            check(demo, trie, one);
            const std::string ignored = left_out(one.schema);
            CHECK(ignored.empty());
            if (!ignored.empty()) {
                std::fprintf(stdout, "  %s\n  leaves out %s\n", one.schema, ignored.c_str());
            }
        }
    };
    all(types);
    all(values);
    all(numbers);
    all(strings);
    all(formats);
    all(arrays);
    all(objects);
    all(combined);
    many_values_are_told_apart(demo, trie);
    for (const auto & one : partly) {
        check(demo, trie, { one.schema, { one.accepted }, { one.refused } });
        const std::string ignored = left_out(one.schema);
        CHECK(ignored == one.keyword);
        if (ignored != one.keyword) {
            std::fprintf(stdout, "  %s\n  leaves out %s\n", one.schema, ignored.c_str());
        }
    }
}
