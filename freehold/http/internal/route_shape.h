// SPDX-License-Identifier: Apache-2.0
//
// From a handler's type to what a route needs: how to run it, and how to describe it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "freehold/base/hash.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/http/call.h"
#include "freehold/http/internal/answer.h"
#include "freehold/http/internal/input.h"
#include "freehold/http/internal/path_text.h"
#include "freehold/schema/json_schema.h"

namespace freehold::http::internal {

// The input, output and call types of a handler; empty for anything else.
template <class Function>
struct HandlerParts {};
template <class O, class I, class C>
struct HandlerParts<Task<Result<O>> (*)(I, C)> {
  using Out = O;
  using In = std::remove_cvref_t<I>;
  using CallType = C;
};
template <class T, class O, class I, class C>
struct HandlerParts<Task<Result<O>> (T::*)(I, C)> : HandlerParts<Task<Result<O>> (*)(I, C)> {};
template <class T, class O, class I, class C>
struct HandlerParts<Task<Result<O>> (T::*)(I, C) const> : HandlerParts<Task<Result<O>> (*)(I, C)> {
};

template <class Function>
struct HandlerOfFunction : HandlerParts<Function> {};
template <class Function>
  requires std::is_class_v<Function> && requires(Function f) { +f; }
struct HandlerOfFunction<Function> : HandlerParts<decltype(+std::declval<Function>())> {};

template <class Function>
using HandlerOf = HandlerOfFunction<Function>;

template <class Handler>
inline constexpr bool is_handler = requires {
  typename Handler::In;
  requires std::derived_from<typename Handler::CallType, Call>;
};

// What a call type demands of the request before the handler runs; Call itself demands nothing.
template <class CallType>
Result<CallType> make_call(Exchange& exchange) {
  if constexpr (requires { CallType::make(exchange); })
    return CallType::make(exchange);
  else
    return CallType{exchange};
}

// A route for OpenAPI, without its types.
struct RouteShape {
  std::span<const std::string_view> path_parameters;
  std::string (*input_schema)(SchemaComponents&) = nullptr;   // of the whole input struct
  std::string (*output_schema)(SchemaComponents&) = nullptr;  // nullptr: no JSON body
  int status = 200;
  bool is_stream = false;
  bool is_idempotent = false;  // needs an Idempotency-Key
};

template <PathText Path, class Handler>
RouteShape describe_route() {
  using Shape = AnswerShape<typename Handler::Out>;
  RouteShape shape;
  shape.path_parameters = path_parameters<Path>;
  shape.input_schema = [](SchemaComponents& seen) {
    return json_schema<typename Handler::In>(seen);
  };
  if constexpr (!std::is_void_v<typename Shape::Body>)
    shape.output_schema = [](SchemaComponents& seen) {
      return json_schema<typename Shape::Body>(seen);
    };
  shape.status = Shape::status;
  shape.is_stream = std::is_same_v<typename Handler::Out, EventStream>;
  shape.is_idempotent = requires { Handler::CallType::needs_idempotency_key; };
  return shape;
}

// Reads the input, runs the handler, writes its answer or its error.
template <PathText Path, class Handler, class Function, class... Object>
Task<> run(Function function, Exchange* exchange, Object*... object) {
  auto call = make_call<typename Handler::CallType>(*exchange);
  if (!call) co_return answer_error(*exchange, call.error());
  auto in = read_input<typename Handler::In, Path>(*exchange);
  if (!in) co_return answer_error(*exchange, in.error());
  if constexpr (requires { Handler::CallType::needs_idempotency_key; }) {
    const auto done = co_await replayed(exchange, fnv1a(to_json(*in)));
    if (!done) co_return answer_error(*exchange, done.error());
    if (*done) co_return;
  }
  auto out = co_await std::invoke(function, *object..., *std::move(in), *std::move(call));
  if constexpr (requires { Handler::CallType::needs_idempotency_key; }) {
    if (!out) {
      const auto done = co_await replayed_instead(exchange, out.error());
      if (!done) co_return answer_error(*exchange, done.error());
      if (*done) co_return;
    }
  }
  if (!out) co_return answer_error(*exchange, out.error());
  if constexpr (std::is_void_v<typename Handler::Out>)
    exchange->response->status = 204;
  else
    write_answer(*exchange->response, *out);
}

template <PathText Path, class Handler, class Function, class... Object>
std::function<Task<>(Exchange&)> endpoint(Function function, Object&... object) {
  return [function, ... object = &object](Exchange& exchange) {
    return run<Path, Handler>(function, &exchange, object...);
  };
}

}  // namespace freehold::http::internal
