// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/call.h"

#include <algorithm>
#include <charconv>

#include "freehold/base/errors.h"

namespace freehold::http {
namespace {

constexpr std::chrono::seconds wait_max{30};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"'))
    return text.substr(1, text.size() - 2);
  return text;
}

// The wait of one Prefer field (RFC 7240, 4.3): "respond-async, wait=10"; nullopt: it has none.
std::optional<std::chrono::seconds> wait_of(std::string_view field) {
  while (!field.empty()) {
    const std::size_t end = field.find_first_of(",;");
    const std::string_view preference = field.substr(0, end);
    field = end == std::string_view::npos ? std::string_view{} : field.substr(end + 1);
    const std::size_t equals = preference.find('=');
    if (equals == std::string_view::npos ||
        !equal_without_case(trimmed(preference.substr(0, equals)), "wait"))
      continue;
    const std::string_view text = unquoted(trimmed(preference.substr(equals + 1)));
    int seconds = 0;
    const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (stop != text.data() + text.size() || text.empty() || seconds < 0) return std::nullopt;
    if (failure == std::errc::result_out_of_range) return wait_max;
    return std::min(std::chrono::seconds{seconds}, wait_max);
  }
  return std::nullopt;
}

}  // namespace

bool Caller::is(std::string_view role) const {
  return std::ranges::find(roles, role) != roles.end();
}

std::optional<std::string_view> Call::header(std::string_view name) const {
  return exchange_->request->headers.find(name);
}

Result<std::string_view> Call::if_match() const {
  const auto field = header("If-Match");
  if (!field) return errors::precondition_required;
  const std::string_view tag = trimmed(*field);
  if (tag == "*") return tag;
  if (tag.starts_with("W/")) return errors::precondition_failed;
  const std::string_view inner = unquoted(tag);
  if (inner.size() == tag.size() || inner.contains('"'))
    return Error{errors::malformed, "If-Match: one entity tag in quotes is expected"};
  return inner;
}

std::chrono::seconds Call::prefer_wait() const {
  const Headers& headers = exchange_->request->headers;
  for (std::size_t i = 0; i < headers.size(); ++i) {
    const auto [name, value] = headers[i];
    if (!equal_without_case(name, "Prefer")) continue;
    if (const auto wait = wait_of(value)) return exchange_->waited_for = *wait;
  }
  return std::chrono::seconds{0};
}

}  // namespace freehold::http
