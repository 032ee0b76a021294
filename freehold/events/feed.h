// SPDX-License-Identifier: Apache-2.0
//
// The log of another service, as its readers see it. One transport implements this over HTTP
// (http_feed.h); the log stays the source of truth whatever carries it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/books.h"
#include "freehold/events/cloud_event.h"

namespace freehold {

// What a log says of itself.
struct LogDescription {
  std::string log_id;
  std::vector<EventId> heads;  // by partition: the newest event
  std::vector<EventId> lows;   // by partition: the last one that retention has cut
};

// All wanted events of (after, through], each that is still kept. It joins what was read before
// when `after` is the place that was asked from.
struct FeedRange {
  EventId after;
  EventId through;
  EventId head;
  EventId low;
  std::string log_id;
  std::shared_ptr<const EventBatch> batch;  // never null
};

struct FeedRequest {
  EventId after{};                       // answers begin behind it
  std::string log_id{};                  // the log that is meant; empty: whichever it is
  std::vector<std::string> families{};   // empty: all
  std::chrono::milliseconds timeout{0};  // how long the source may wait for events
  std::string consumer{};                // registers the reader; empty: nobody is registered
  EventId acknowledged{};                // what this reader has committed
};

// One page of the latest state events of a family, by subject.
struct StatesPage {
  std::string log_id;
  std::vector<EventId> heads;  // noted before the page was read
  std::shared_ptr<const EventBatch> batch;
  std::string next;  // the subject after which the next page begins; empty: this was the last
};

// Calls come from one thread, the service's I/O thread. Errors: log_diverged (the source does not
// hold the place that was asked from; both places are in the detail), log_truncated (it has cut
// what follows that place), peer_unavailable, deadline_exceeded and other errors of transport.
class Feed {
 public:
  virtual ~Feed() = default;
  virtual Task<Result<LogDescription>> describe(Deadline deadline) = 0;
  virtual Task<Result<FeedRange>> read(FeedRequest request, Deadline deadline) = 0;
  virtual Task<Result<StatesPage>> states(std::string family, std::string after_subject,
                                          std::size_t events_max, Deadline deadline) = 0;
};

}  // namespace freehold
