// SPDX-License-Identifier: Apache-2.0
//
// The text of messages' heads, as both server and client write it (RFC 9112).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "freehold/http/message.h"

namespace freehold::http::internal {

// Appends the status line and all headers with Content-Length, without the empty line that ends
// them. A response that streams, a 204 and a 304 get no Content-Length. `date`: empty: none.
void write_head(std::string& out, const Response& response, std::string_view date);

// Appends the request line and all headers, with the empty line.
void write_head(std::string& out, const Request& request, std::string_view host);

// "http://host/path" → "/path": what a proxy's client sends (RFC 9112, 3.2.2).
std::string_view in_origin_form(std::string_view target);

// "Sun, 22 Nov 2026 17:18:19 GMT" (RFC 9110, 5.6.7).
std::string http_date(std::chrono::sys_seconds time);

}  // namespace freehold::http::internal
