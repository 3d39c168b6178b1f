#include "schema_weight.h"

namespace dbs {

namespace {

constexpr double most_work  = 400.0 * 400.0 * 400.0;
constexpr size_t most_tools = 512;

/** Adds the work of all objects in a schema to `work`; recursion is bounded by the caller's bound on JSON's depth. */
void weigh(const common_json & json, double & work) {
    if (json.is_object()) {
        if (json.contains("properties") && json.at("properties").is_object()) {
            const size_t n_required = json.contains("required") && json.at("required").is_array() ? json.at("required").size() : 0;
            const size_t n          = json.at("properties").size();
            const double optional   = n > n_required ? static_cast<double>(n - n_required) : 0.0;
            work += optional * optional * optional + 4.0 * static_cast<double>(n) * static_cast<double>(n);
        }
        for (const auto & item : json.items()) {
            weigh(item.value(), work);
        }
    } else if (json.is_array()) {
        for (const common_json & item : json) {
            weigh(item, work);
        }
    }
}

} // namespace

bool schema_is_bearable(const common_json & schema) {
    double work = 0.0;
    weigh(schema, work);
    return work <= most_work;
}

bool tools_are_bearable(const common_json & tools) {
    return tools.size() <= most_tools && schema_is_bearable(tools);
}

} // namespace dbs
