// SPDX-License-Identifier: Apache-2.0
#include <boost/json/basic_parser_impl.hpp>
#include <functional>
#include <limits>

#include "freehold/schema/internal/json_document.h"
#include "freehold/schema/internal/json_read.h"

namespace freehold::internal {
namespace {

namespace json = boost::json;

constexpr std::size_t depth_max = 32;

// Receives what Boost.JSON's parser recognises and lays it out as a tape. Text without escapes
// stays where it is; text with escapes arrives decoded, in pieces, and is put together in `memory`.
class TapeWriter {
 public:
  static constexpr std::size_t max_array_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_object_size = max_array_size;
  static constexpr std::size_t max_string_size = max_array_size;
  static constexpr std::size_t max_key_size = max_array_size;

  TapeWriter(std::string_view source, std::pmr::vector<JsonNode>& nodes,
             std::pmr::memory_resource& memory)
      : source_(source), nodes_(nodes), memory_(memory) {}

  using Code = boost::system::error_code;
  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_array_begin(Code&) { return open(JsonKind::array); }
  bool on_array_end(std::size_t count, Code&) { return close(count); }
  bool on_object_begin(Code&) { return open(JsonKind::object); }
  bool on_object_end(std::size_t count, Code&) { return close(count); }
  bool on_string_part(json::string_view part, std::size_t, Code&) { return keep(part); }
  bool on_string(json::string_view rest, std::size_t, Code&) {
    return add(JsonKind::text, whole(rest));
  }
  bool on_key_part(json::string_view part, std::size_t, Code&) { return keep(part); }
  bool on_key(json::string_view rest, std::size_t, Code&) {
    name_ = whole(rest);
    return true;
  }
  bool on_number_part(json::string_view part, Code&) { return keep(part); }
  bool on_int64(std::int64_t, json::string_view rest, Code&) {
    return add(JsonKind::integer, whole(rest));
  }
  bool on_uint64(std::uint64_t, json::string_view rest, Code&) {
    return add(JsonKind::integer, whole(rest));
  }
  bool on_double(double, json::string_view rest, Code&) { return add(JsonKind::real, whole(rest)); }
  bool on_bool(bool value, Code&) { return add(JsonKind::boolean, value ? "true" : "false"); }
  bool on_null(Code&) { return add(JsonKind::null, "null"); }
  bool on_comment_part(json::string_view, Code&) { return true; }
  bool on_comment(json::string_view, Code&) { return true; }

 private:
  bool keep(std::string_view part) {
    pieces_ += part;
    return true;
  }

  std::string_view whole(std::string_view rest) {
    if (pieces_.empty() && stands_in_source(rest)) return rest;
    pieces_ += rest;
    if (pieces_.empty()) return {};
    auto* const copy = static_cast<char*>(memory_.allocate(pieces_.size(), 1));
    pieces_.copy(copy, pieces_.size());
    const std::string_view text{copy, pieces_.size()};
    pieces_.clear();
    return text;
  }

  bool stands_in_source(std::string_view text) const {
    const std::less_equal<> not_after;
    return not_after(source_.data(), text.data()) &&
           not_after(text.data() + text.size(), source_.data() + source_.size());
  }

  bool add(JsonKind kind, std::string_view text) {
    nodes_.push_back({.name = name_, .text = text, .kind = kind});
    name_ = {};
    return true;
  }

  bool open(JsonKind kind) {
    open_[depth_++] = nodes_.size();
    return add(kind, {});
  }

  bool close(std::size_t count) {
    JsonNode& node = nodes_[open_[--depth_]];
    node.extent = static_cast<std::uint32_t>(nodes_.size() - open_[depth_]);
    node.children = static_cast<std::uint32_t>(count);
    return true;
  }

  std::string_view source_;
  std::pmr::vector<JsonNode>& nodes_;
  std::pmr::memory_resource& memory_;
  std::string pieces_;
  std::string_view name_;
  std::array<std::size_t, depth_max + 1> open_{};
  std::size_t depth_ = 0;
};

}  // namespace

Result<> JsonDocument::parse(std::string_view text) {
  if (text.size() > std::numeric_limits<std::uint32_t>::max()) return malformed("too large");
  nodes_.reserve(text.size() / 8 + 4);
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<TapeWriter> parser{options, text, nodes_, memory_};
  boost::system::error_code code;
  std::size_t read = parser.write_some(false, text.data(), text.size(), code);
  if (!code && read < text.size()) code = json::error::extra_data;
  if (code == json::error::too_deep) return malformed("nested too deeply");
  if (code) return malformed("not JSON: " + code.message() + " at byte " + std::to_string(read));
  return {};
}

}  // namespace freehold::internal
