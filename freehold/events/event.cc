// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/event.h"

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"

namespace freehold {
namespace {

std::string& process_service() {
  static std::string name;
  return name;
}

thread_local std::string thread_service;  // NOLINT(cert-err58-cpp)

void write_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  write_json(out, value);
}

void write_if_any(std::string& out, std::string_view name, std::string_view value) {
  if (!value.empty()) write_member(out, name, value);
}

}  // namespace

void set_own_service(std::string name) {
  process_service() = std::move(name);
}

void set_own_service_of_this_thread(std::string name) {
  thread_service = std::move(name);
}

std::string_view own_service() {
  return thread_service.empty() ? process_service() : thread_service;
}

namespace internal {

void write_envelope(std::string& out, const Envelope& envelope) {
  FREEHOLD_ASSERT(!own_service().empty(), "an event before set_own_service()");
  out.reserve(512);
  out += "\"source\":";
  write_json(out, own_service());
  write_member(out, "type", envelope.type);
  write_member(out, "subject", envelope.subject);
  write_member(out, "partitionkey", envelope.partition_key);
  out += ",\"time\":";
  write_json(out, now());
  write_if_any(out, "traceparent", envelope.context.trace_parent);
  write_if_any(out, "recipient", envelope.recipient);
  write_if_any(out, "requestid", envelope.context.request_id);
  write_if_any(out, "inreplyto", envelope.context.in_reply_to);
  if (envelope.context.deleted) out += ",\"method\":\"DELETE\"";
  out += ",\"datacontenttype\":\"application/json\",\"data\":";
}

}  // namespace internal

NewEvent encode(const Envelope& envelope, std::string_view data) {
  NewEvent encoded{.type = std::string{envelope.type},
                   .subject = std::string{envelope.subject},
                   .partition_key = std::string{envelope.partition_key},
                   .recipient = std::string{envelope.recipient},
                   .state_version = envelope.state_version,
                   .deleted = envelope.context.deleted,
                   .json = {}};
  internal::write_envelope(encoded.json, envelope);
  encoded.json += data;
  return encoded;
}

}  // namespace freehold
