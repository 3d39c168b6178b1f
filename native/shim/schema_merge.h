// What schemas say together: references, `allOf`, and which values two of them share.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "json.h"
#include "number_grammar.h"

namespace dbs {

enum class Verdict { YES, NO, UNKNOWN };

/** References within one schema, and questions about its parts. Borrows the schema. Throws NoGrammar like schema_grammar. */
class SchemaReferences {
  public:
    explicit SchemaReferences(const common_json & root) : root_(root) {}

    /** Where `schema` leads as long as it says nothing but `$ref`; itself when it says something else. */
    const common_json & target(const common_json & schema);

    /** What a reference names: the whole schema or a JSON pointer into it. */
    const common_json & resolve(const common_json & reference);

    /** Whether `value` is valid; UNKNOWN where a keyword decides that is not looked at (`pattern`, `format`, `if` and the like). */
    Verdict accepts(const common_json & schema, const common_json & value);

    /** Whether no value that is written for one of `alternatives`, each together with `rest`, is valid under another of them. */
    bool are_apart(const common_json & alternatives, const common_json & rest);

    /** Counts one step of work that a schema may ask for many times over. */
    void spend();

  private:
    Verdict             accepts(const common_json & schema, const common_json & value, int depth);
    bool                is_apart(const common_json & written, const common_json & other, int depth);
    bool                is_among(const common_json & value, const common_json & values);
    const common_json * member(const common_json & object, const std::string & name);

    const common_json &                                                                         root_;
    std::unordered_map<const common_json *, std::unordered_map<std::string, const common_json *>> large_; // members of large objects
    int                                                                                         spent_ = 0;
    size_t                                                                                      compared_ = 0;
};

/** Merges schemas into one without `$ref` and `allOf` at its top. */
class SchemaMerge {
  public:
    explicit SchemaMerge(SchemaReferences & references) : references_(references) {}

    common_json flat(const common_json & schema);
    common_json both(const common_json & left, const common_json & right);

    /** The first keyword whose two values could not be brought together, of which one was dropped; empty: none. */
    const std::string & left_out() const { return left_out_; }

    /** Whether a schema has nothing but annotations. */
    static bool is_bare(const common_json & schema);

    static int compare(const Decimal & left, const Decimal & right);

  private:
    common_json flat(const common_json & schema, int depth);
    common_json merged(const common_json & left, const common_json & right);
    void        merge_keyword(common_json & out, const std::string & keyword, const common_json & value);
    void        merge_properties(common_json & out, const common_json & left, const common_json & right);

    SchemaReferences & references_;
    std::string        left_out_;
};

} // namespace dbs
