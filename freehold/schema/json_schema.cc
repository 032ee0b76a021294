// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/json_schema.h"

namespace freehold::internal {

std::string enum_schema(std::span<const std::string_view> names) {
  std::string list;
  for (std::string_view name : names) {
    if (!list.empty()) list += ',';
    write_text(list, name);
  }
  return R"({"type":"string","enum":[)" + list + "]}";
}

std::string schema_document(std::string schema, const SchemaComponents& components) {
  if (components.empty()) return schema;
  std::string definitions;
  for (const auto& [name, definition] : components) {
    if (!definitions.empty()) definitions += ',';
    write_text(definitions, name);
    definitions += ':' + definition;
  }
  schema.pop_back();  // the closing brace
  return schema + R"(,"$defs":{)" + definitions + "}}";
}

}  // namespace freehold::internal
