// SPDX-License-Identifier: Apache-2.0
//
// A parsed JSON text as a flat tape of nodes, and a cursor over it. It keeps Boost.JSON's parser
// out of every file that reads JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"

namespace freehold::internal {

enum class JsonKind : std::uint8_t { null, boolean, integer, real, text, array, object };

// One value. Its children follow it on the tape; `extent` counts them, theirs and itself.
struct JsonNode {
  std::string_view name;  // as a field of an object
  std::string_view text;  // of a number, boolean or null as it was written; of a text decoded
  std::uint32_t extent = 1;
  std::uint32_t children = 0;
  JsonKind kind = JsonKind::null;
};

// A place in a JsonDocument, which must outlive it.
class JsonValue {
 public:
  class Iterator {
   public:
    explicit Iterator(const JsonNode* node) : node_(node) {}
    JsonValue operator*() const { return JsonValue{node_}; }
    Iterator& operator++() { return node_ += node_->extent, *this; }
    friend bool operator==(Iterator, Iterator) = default;

   private:
    const JsonNode* node_;
  };

  explicit JsonValue(const JsonNode* node) : node_(node) {}

  JsonKind kind() const { return node_->kind; }
  std::string_view name() const { return node_->name; }
  std::string_view text() const { return node_->text; }
  std::size_t children() const { return node_->children; }
  Iterator begin() const { return Iterator{node_ + 1}; }
  Iterator end() const { return Iterator{node_ + node_->extent}; }

 private:
  const JsonNode* node_;
};

// Lives on the stack of the function that reads; small documents stay within it. The text must
// outlive the document.
class JsonDocument {
 public:
  JsonDocument() = default;
  JsonDocument(const JsonDocument&) = delete;
  JsonDocument& operator=(const JsonDocument&) = delete;

  // Refused: malformed, when `text` is not one JSON value in UTF-8, or is nested too deeply.
  Result<> parse(std::string_view text);
  JsonValue root() const { return JsonValue{nodes_.data()}; }

 private:
  std::array<std::byte, 4096> stack_;  // NOLINT: written before it is read
  std::pmr::monotonic_buffer_resource memory_{stack_.data(), stack_.size()};
  std::pmr::vector<JsonNode> nodes_{&memory_};
};

}  // namespace freehold::internal
