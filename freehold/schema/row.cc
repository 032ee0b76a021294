// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/row.h"

#include <algorithm>
#include <stdexcept>

namespace freehold::internal {

void column_is_corrupt(std::string_view name, std::string_view why) {
  std::string message = "the database holds what cannot be in column ";
  throw std::runtime_error{message.append(name).append(": ").append(why)};
}

void bind_id(ParameterSink& sink, int parameter, const IdBytes& bytes) {
  FREEHOLD_ASSERT(bytes != IdBytes{}, "a nil id was written: it was never given a value");
  sink.blob(parameter, bytes);
}

IdBytes read_id(const RowSource& row, int column, std::string_view name) {
  const auto stored = row.blob(column);
  IdBytes bytes{};
  if (stored.size() != bytes.size()) column_is_corrupt(name, "not 16 bytes");
  std::ranges::copy(stored, bytes.begin());
  if (bytes == IdBytes{}) column_is_corrupt(name, "a nil id");
  return bytes;
}

}  // namespace freehold::internal
