// SPDX-License-Identifier: Apache-2.0
//
// Events and commands are described structs in the producer's contract:
//
//   struct ProductState {
//     ProductId id;
//     std::string name;
//     std::int64_t version;
//     static constexpr std::string_view type = "product.state.v1";
//     static constexpr auto subject = &ProductState::id;
//   };
//   BOOST_DESCRIBE_STRUCT(ProductState, (), (id, name, version))
//
// In the log an event is a CloudEvent (v1.0, JSON format) whose members follow in this order; the
// feed puts specversion, id and sequence in front of what is stored:
//
//   "source":"product","type":"product.state.v1","subject":"<id>","partitionkey":"<key>",
//   "time":"<RFC 3339>"[,"traceparent":"…"][,"recipient":"<service>"][,"requestid":"<saga>/<step>"]
//   [,"inreplyto":"<saga>/<step>"][,"method":"DELETE"],"datacontenttype":"application/json",
//   "data":{…}
//
// No event holds personal data.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "freehold/database/transaction.h"
#include "freehold/schema/described.h"
#include "freehold/schema/json.h"

namespace freehold {

// What happened, in the past tense. `type` is "service.name.vN" and begins with the service that
// publishes it; `subject` points to the member that names the aggregate (an id or a string). Events
// of one subject stay in order; with a `partition_key` (a pointer to a member, too) all events of
// one key do.
template <class E>
concept Event = Described<E> && requires {
  { E::type } -> std::convertible_to<std::string_view>;
  E::subject;
};

// The whole public state of one aggregate; `version` grows by one with each of its subject's state
// events. The log keeps the latest of each subject for ever: replicas start from those.
template <class E>
concept StateEvent = Event<E> && requires(E event) {
  { event.version } -> std::same_as<std::int64_t&>;
};

// What is asked of the service with which `type` begins, and what that one answers.
template <class C>
concept Command = Event<C> && requires { typename C::Reply; };

// Whether the text is "service.name.vN", each of lower-case letters, digits and underscores.
constexpr bool is_event_type(std::string_view type);

// "product.state.v1" → "product".
constexpr std::string_view service_of(std::string_view type) {
  return type.substr(0, type.find('.'));
}

// The service that this process is: the `source` of its events. The host sets it once, before the
// first event. A test with several services in one process sets it for one thread instead.
void set_own_service(std::string name);
void set_own_service_of_this_thread(std::string name);
std::string_view own_service();

// What is said about one event beside its data.
struct EventContext {
  std::string_view request_id{};    // of a command whose reply somebody waits for: "<saga>/<step>"
  std::string_view in_reply_to{};   // of a reply: the request_id that it answers
  std::string_view trace_parent{};  // W3C trace context; empty: the transaction's, if it has one
  bool deleted = false;             // of a state event: it ends its subject
};

// The event as the log takes it.
template <Event E>
NewEvent encode(const E& event, EventContext context = {});

// Appends an event to this service's log; visible to readers when the transaction is committed.
// Larger than 64 KiB: the body is refused with event_too_large.
template <Event E>
void append(Transaction& transaction, const E& event, EventContext context = {});

// Appends the state event that ends its subject: `event` is the last state, its version one more.
template <StateEvent E>
void append_deletion(Transaction& transaction, const E& event);

// Sends a command through this service's log. Without a request_id nobody waits for its reply, none
// is written, and a refusal at the receiver is a failure there.
template <Command C>
void send(Transaction& transaction, const C& command, std::string_view request_id = {});

// The parts of an event that are known without its type; `data` is one JSON value.
struct Envelope {
  std::string_view type;
  std::string_view subject;
  std::string_view partition_key;
  std::string_view recipient{};
  EventContext context{};
  std::int64_t state_version = 0;
};
NewEvent encode(const Envelope& envelope, std::string_view data);

}  // namespace freehold

#include "freehold/events/internal/event_inline.h"
