// SPDX-License-Identifier: Apache-2.0
//
// CloudEvents (v1.0, JSON batch format) as they cross the wire, written from what the log stores
// and read without building a document: attributes and data are views into the text.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/database/books.h"
#include "freehold/events/delivery.h"

namespace freehold {

// One event of a batch that was read. Its views live as long as the batch.
struct CloudEvent {
  EventId id;
  std::string_view type;
  std::string_view subject;
  std::string_view partition_key;
  std::string_view request_id;
  std::string_view in_reply_to;
  std::string_view trace_parent;
  Time time{};
  bool deleted = false;
  std::string_view data;   // one JSON value
  std::string_view whole;  // the event's own JSON object
};

// The events of one answer, with the text that they are views of. Immutable, so any thread may
// read it.
class EventBatch {
 public:
  // Reads a JSON array of CloudEvents, or one alone. Refused: malformed, naming what is wrong; an
  // event without a usable id, type, subject, partitionkey or data is.
  static Result<std::shared_ptr<const EventBatch>> read(std::string text);

  EventBatch(const EventBatch&) = delete;
  EventBatch& operator=(const EventBatch&) = delete;

  const std::vector<CloudEvent>& events() const { return events_; }
  std::size_t bytes() const { return text_.size(); }

 private:
  explicit EventBatch(std::string text) : text_(std::move(text)) {}

  std::string text_;
  std::deque<std::string> unescaped_;  // attributes that could not be views
  std::vector<CloudEvent> events_;
};

// The event as a handler gets it. The views live as long as the batch and `source`.
Delivery delivery_of(const CloudEvent& event, std::string_view source, int attempt = 1);

// Appends the event as one JSON object: specversion, id and sequence, then what is stored, copied.
void write_cloud_event(std::string& out, const StoredEvent& event);

}  // namespace freehold
