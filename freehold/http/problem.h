// SPDX-License-Identifier: Apache-2.0
//
// Problem details (RFC 9457), the one form of every error answer:
//
//   {"type":"/problems/product/out_of_stock","title":"Fewer units are available than …",
//    "status":422,"detail":"…","code":"product/out_of_stock"}
//
// `type` and `code` name the errors.def row, `title` is its sentence, `detail` (left out when
// empty) is of this occurrence. Answers with 429 and 503 carry Retry-After:
// the error's, or 1.
#pragma once

#include "freehold/base/error.h"
#include "freehold/http/message.h"

namespace freehold::http {

// The status an error is answered with: that of its kind, except where HTTP has a finer one
// (405, 408, 410, 413).
int status_of(const Error& error);

// Makes `response` the error's answer, whatever it held.
void write_problem(Response& response, const Error& error);

// The Error that a peer's answer of 400 or above stands for: service, name, kind, sentence and
// detail as they were there. An answer that is no problem (a proxy's page) becomes
// peer_unavailable for 502 and 503, deadline_exceeded for 504, else unexpected_answer.
Error read_problem(const Response& response);

}  // namespace freehold::http
