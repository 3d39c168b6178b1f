// How much work a JSON schema makes.
#pragma once

#include "chat.h"

namespace dbs {

/**
 * Whether upstream's converter makes a grammar of this schema in reasonable time. What it does with an object's optional properties grows with
 * about the third power of their number: 400 took a third of a second, 1,500 twenty (two-core x86 machine under load, 2026-11).
 */
bool schema_is_bearable(const common_json & schema);

/** The same for a JSON array of tools, each of which becomes a rule of the answer's parser: 800 took two thirds of a second there. */
bool tools_are_bearable(const common_json & tools);

} // namespace dbs
