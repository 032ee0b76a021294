// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/wire.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <span>

#include "freehold/http/internal/input.h"

namespace freehold::http::internal {
namespace {

struct Reason {
  int status;
  std::string_view line;
};

constexpr std::array reasons{Reason{200, "200 OK"},
                             Reason{201, "201 Created"},
                             Reason{202, "202 Accepted"},
                             Reason{204, "204 No Content"},
                             Reason{304, "304 Not Modified"},
                             Reason{400, "400 Bad Request"},
                             Reason{401, "401 Unauthorized"},
                             Reason{403, "403 Forbidden"},
                             Reason{404, "404 Not Found"},
                             Reason{405, "405 Method Not Allowed"},
                             Reason{408, "408 Request Timeout"},
                             Reason{409, "409 Conflict"},
                             Reason{410, "410 Gone"},
                             Reason{412, "412 Precondition Failed"},
                             Reason{413, "413 Content Too Large"},
                             Reason{422, "422 Unprocessable Content"},
                             Reason{428, "428 Precondition Required"},
                             Reason{429, "429 Too Many Requests"},
                             Reason{431, "431 Request Header Fields Too Large"},
                             Reason{500, "500 Internal Server Error"},
                             Reason{503, "503 Service Unavailable"},
                             Reason{504, "504 Gateway Timeout"}};

void write_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
  out.append(text.data(), end);
}

// Text from outside may stand in a header; a line break in it would begin another header.
void write_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  const std::size_t begin = out.size();
  out += value;
  for (char& c : std::span{out}.subspan(begin))
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  out += "\r\n";
}

void write_status_line(std::string& out, int status) {
  out += "HTTP/1.1 ";
  for (const Reason& reason : reasons)
    if (reason.status == status) {
      out += reason.line;
      out += "\r\n";
      return;
    }
  write_number(out, static_cast<std::uint64_t>(status));
  out += " \r\n";
}

void write_length(std::string& out, std::size_t length) {
  out += "Content-Length: ";
  write_number(out, length);
  out += "\r\n";
}

}  // namespace

void write_head(std::string& out, const Response& response, std::string_view date) {
  write_status_line(out, response.status);
  if (!date.empty()) write_field(out, "Date", date);
  for (std::size_t i = 0; i < response.headers.size(); ++i)
    write_field(out, response.headers[i].first, response.headers[i].second);
  if (!response.stream && response.status != 204 && response.status != 304)
    write_length(out, response.body.size());
}

void write_head(std::string& out, const Request& request, std::string_view host) {
  out += name_of(request.method);
  out += ' ';
  out += request.target;
  out += " HTTP/1.1\r\n";
  write_field(out, "Host", host);
  for (std::size_t i = 0; i < request.headers.size(); ++i)
    write_field(out, request.headers[i].first, request.headers[i].second);
  if (takes_body(request.method) || !request.body.empty()) write_length(out, request.body.size());
  out += "\r\n";
}

std::string_view in_origin_form(std::string_view target) {
  if (!target.starts_with("http://")) return target;
  const std::size_t slash = target.find('/', 7);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

std::string http_date(std::chrono::sys_seconds time) {
  static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::array<char, 40> text{};
  const int length = std::snprintf(
      text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
      days[std::chrono::weekday{day}.c_encoding()], static_cast<unsigned>(date.day()),
      months[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace freehold::http::internal
