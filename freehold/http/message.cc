// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/message.h"

#include <algorithm>
#include <array>

namespace freehold::http {
namespace {

struct MethodName {
  Method method;
  std::string_view name;
};

constexpr std::array<MethodName, 7> method_names{{{Method::get, "GET"},
                                                  {Method::head, "HEAD"},
                                                  {Method::post, "POST"},
                                                  {Method::put, "PUT"},
                                                  {Method::patch, "PATCH"},
                                                  {Method::del, "DELETE"},
                                                  {Method::options, "OPTIONS"}}};

// A body that grew this large once gives its memory back before the next message.
constexpr std::size_t kept_bytes_max = 64 * 1024;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

std::string_view name_of(Method method) {
  for (const MethodName& each : method_names)
    if (each.method == method) return each.name;
  return "OTHER";
}

Method method_from_name(std::string_view name) {
  for (const MethodName& each : method_names)
    if (each.name == name) return each.method;
  return Method::other;
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return x == y || lower(x) == lower(y);
         });
}

Headers::Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
  for (const auto& [name, value] : fields) add(name, value);
}

void Headers::add(std::string_view name, std::string_view value) {
  fields_.push_back({static_cast<std::uint32_t>(text_.size()),
                     static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size())});
  text_ += name;
  text_ += value;
}

void Headers::clear() {
  text_.clear();
  fields_.clear();
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (fields_[i].name_length != name.size()) continue;
    const auto [each, value] = (*this)[i];
    if (equal_without_case(each, name)) return value;
  }
  return std::nullopt;
}

std::pair<std::string_view, std::string_view> Headers::operator[](std::size_t index) const {
  const Field& field = fields_[index];
  const std::string_view text = text_;
  return {text.substr(field.at, field.name_length),
          text.substr(field.at + field.name_length, field.value_length)};
}

std::string_view Request::path() const {
  return std::string_view{target}.substr(0, target.find('?'));
}

std::string_view Request::query() const {
  const std::size_t at = target.find('?');
  return at == std::string::npos ? std::string_view{} : std::string_view{target}.substr(at + 1);
}

void Request::clear() {
  method = Method::get;
  target.clear();
  headers.clear();
  if (body.capacity() > kept_bytes_max) body = {};
  body.clear();
}

void Response::clear() {
  status = 200;
  headers.clear();
  if (body.capacity() > kept_bytes_max) body = {};
  body.clear();
  stream = {};
}

}  // namespace freehold::http
