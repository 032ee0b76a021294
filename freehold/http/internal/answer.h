// SPDX-License-Identifier: Apache-2.0
//
// How what a handler returned becomes the response. JSON goes directly into the response's body.
#pragma once

#include <string_view>
#include <utility>

#include "freehold/http/event_stream.h"
#include "freehold/http/message.h"
#include "freehold/http/reply.h"
#include "freehold/schema/json.h"

namespace freehold::http::internal {

void set_reply_headers(Response& response, std::string_view location, std::string_view etag);

template <class T>
void write_answer(Response& response, T& body) {
  response.headers.add("Content-Type", "application/json");
  write_json(response.body, body);
}
inline void write_answer(Response& response, None&) {
  response.status = 204;
}
inline void write_answer(Response& response, Response& made) {
  response = std::move(made);
}
inline void write_answer(Response& response, EventStream& stream) {
  response.stream = std::move(stream);
}
template <class T>
void write_answer(Response& response, Reply<T>& reply) {
  write_answer(response, reply.body);
  response.status = reply.status;
  set_reply_headers(response, reply.location, reply.etag);
}
inline void write_answer(Response& response, Reply<void>& reply) {
  response.status = reply.status;
  set_reply_headers(response, reply.location, reply.etag);
}

// What OpenAPI says about an answer: the type of its JSON (void: none) and its usual status.
template <class T>
struct AnswerShape {
  using Body = T;
  static constexpr int status = 200;
};
template <>
struct AnswerShape<void> {
  using Body = void;
  static constexpr int status = 204;
};
template <>
struct AnswerShape<None> : AnswerShape<void> {};
template <>
struct AnswerShape<Reply<void>> : AnswerShape<void> {};
template <>
struct AnswerShape<Response> {
  using Body = void;
  static constexpr int status = 200;
};
template <>
struct AnswerShape<EventStream> : AnswerShape<Response> {};
template <class T>
struct AnswerShape<Reply<T>> : AnswerShape<T> {};

}  // namespace freehold::http::internal
