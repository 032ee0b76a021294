// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/events/event.h"

namespace freehold {

constexpr bool is_event_type(std::string_view type) {
  int dots = 0;
  const auto is_word = [](std::string_view word) {
    for (char c : word)
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
    return !word.empty();
  };
  for (; dots < 2; ++dots) {
    const auto dot = type.find('.');
    if (dot == std::string_view::npos || !is_word(type.substr(0, dot))) return false;
    type.remove_prefix(dot + 1);
  }
  if (type.size() < 2 || type[0] != 'v' || type[1] == '0') return false;
  for (char c : type.substr(1))
    if (c < '0' || c > '9') return false;
  return true;
}

namespace internal {

template <class E, class Member>
constexpr bool names_an_aggregate(Member E::*) {
  return IdType<Member> || std::same_as<Member, std::string>;
}
template <class E>
constexpr bool names_an_aggregate(...) {
  return false;
}

template <Event E>
consteval void check_event() {
  check_described<E>();
  static_assert(is_event_type(E::type),
                "an event's type is \"service.name.vN\": lower case, digits and underscores");
  static_assert(names_an_aggregate<E>(E::subject),
                "an event's subject points to its member that is an id or a std::string");
  if constexpr (requires { E::partition_key; })
    static_assert(names_an_aggregate<E>(E::partition_key),
                  "an event's partition_key points to its member that is an id or a std::string");
  if constexpr (Command<E>)
    static_assert(Described<typename E::Reply>, "a command's Reply is a described struct");
}

template <class T>
std::string text_of(const T& name) {
  if constexpr (IdType<T>)
    return name.text();
  else
    return name;
}

// What is appended carries the transaction's trace, unless it has one of its own.
inline EventContext traced(const Transaction& transaction, EventContext context) {
  if (context.trace_parent.empty()) context.trace_parent = transaction.trace_parent();
  return context;
}

// Members from "source" to the beginning of the data: `{…` is to follow.
void write_envelope(std::string& out, const Envelope& envelope);

}  // namespace internal

template <Event E>
NewEvent encode(const E& event, EventContext context) {
  internal::check_event<E>();
  NewEvent encoded;
  encoded.type = E::type;
  encoded.subject = internal::text_of(event.*E::subject);
  if constexpr (requires { E::partition_key; })
    encoded.partition_key = internal::text_of(event.*E::partition_key);
  else
    encoded.partition_key = encoded.subject;
  if constexpr (Command<E>) encoded.recipient = service_of(E::type);
  if constexpr (StateEvent<E> && !Command<E>) encoded.state_version = event.version;
  encoded.deleted = context.deleted;
  internal::write_envelope(encoded.json, {E::type, encoded.subject, encoded.partition_key,
                                          encoded.recipient, context, encoded.state_version});
  write_json(encoded.json, event);
  return encoded;
}

template <Event E>
void append(Transaction& transaction, const E& event, EventContext context) {
  static_assert(!Command<E>, "a command is not appended: send() it, or let a saga request it");
  transaction.append(encode(event, internal::traced(transaction, context)));
}

template <StateEvent E>
void append_deletion(Transaction& transaction, const E& event) {
  transaction.append(encode(event, internal::traced(transaction, {.deleted = true})));
}

template <Command C>
void send(Transaction& transaction, const C& command, std::string_view request_id) {
  transaction.append(encode(command, internal::traced(transaction, {.request_id = request_id})));
}

}  // namespace freehold
