// SPDX-License-Identifier: Apache-2.0
//
// JSON Schema (2020-12, as OpenAPI 3.1 and AsyncAPI 3 use it) of what write_json writes, the
// fingerprint of a struct's shape, and the comparison that keeps published contracts compatible.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/schema/described.h"
#include "freehold/schema/json.h"

namespace freehold {

// Named schemas, by described_name: what `components.schemas` of an OpenAPI document holds.
using SchemaComponents = std::map<std::string, std::string>;

// The schema of T as JSON. Described structs are added to `components` once each, and referred to
// as {"$ref": prefix + name}; everything else is written in place.
template <class T>
std::string json_schema(SchemaComponents& components,
                        std::string_view prefix = "#/components/schemas/");

// The same as one document that stands alone, its structs in "$defs".
template <class T>
std::string json_schema();

// A fingerprint of the names and types of T's members, nested ones included, and of the
// enumerators: it changes exactly when stored rows or texts of T may no longer fit. It depends
// neither on the compiler nor on the names of types.
template <class T>
std::uint64_t shape_of();

// What a reader or writer of `before` would miss in `after`, both documents of json_schema<T>():
// a field removed, of another type, newly required or no longer always there, an enumerator removed
// or added (an older reader refuses what it has no name for). One sentence each, beginning with the
// field's path; empty when `after` only adds fields. Texts that are not JSON are a break
// themselves.
std::vector<std::string> breaks(std::string_view before, std::string_view after);

}  // namespace freehold

#include "freehold/schema/internal/json_schema_of.h"
