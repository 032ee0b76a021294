// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/event_stream.h"

#include <algorithm>

namespace freehold::http {
namespace {

void write_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const std::size_t at = out.size();
  out += value;
  std::replace_if(
      out.begin() + static_cast<std::ptrdiff_t>(at), out.end(),
      [](char c) { return c == '\n' || c == '\r' || c == '\0'; }, ' ');
  out += '\n';
}

}  // namespace

void write_event(std::string& out, const StreamEvent& event) {
  if (!event.id.empty()) write_field(out, "id", event.id);
  if (!event.event.empty()) write_field(out, "event", event.event);
  std::string_view rest = event.data;
  for (bool more = true; more;) {
    const std::size_t end = rest.find('\n');
    more = end != std::string_view::npos;
    write_field(out, "data", rest.substr(0, end));
    if (more) rest.remove_prefix(end + 1);
  }
  out += '\n';
}

Task<Result<>> StreamWriter::send(
    StreamEvent event) {  // NOLINT(performance-unnecessary-value-param)
  std::string bytes;
  write_event(bytes, event);
  return sink_->write(std::move(bytes));
}

}  // namespace freehold::http
