// SPDX-License-Identifier: Apache-2.0
//
// This service's log, served to its readers:
//
//   GET /feed                    {"log_id","partitions","heads":[id…],"lows":[id…]}
//   GET /feed/{partition}?lastEventId=&timeout=<ms>&types=&log=&consumer=&acknowledged=
//        200 application/cloudevents-batch+json with Freehold-After, -Through, -Head, -Low, -Log
//        409 log_diverged, 410 log_truncated
//   GET /feed/states?family=&after=<subject>&limit=
//        200 a page of the latest state events by subject, with Freehold-Heads, -Log and, unless
//        it is the last, Freehold-Next
//
// All are internal: a caller needs a service identity, and sees events with a recipient only if
// that is its own name. `types` names event families, separated by commas; "product.*" is all of a
// service's. lastEventId alone is enough (HTTP Feeds).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/events/feed.h"

namespace freehold {

namespace http {
class Routes;
}

struct EventLogOptions {
  std::size_t answer_events_max = 1'000;
  std::size_t answer_bytes_max = 1 << 20;
  std::size_t tail_bytes_max = 5 << 20;       // of each partition, in memory
  std::chrono::milliseconds wait_max{1'000};  // a wake-up is a hint: read again after this
  // An answer without events moves a reader on when everything was hidden from it for this long.
  std::chrono::milliseconds hidden_max{1'000};
  std::chrono::milliseconds timeout_max{30'000};  // of one request
  std::chrono::milliseconds note_readers_every{1'000};

  // Retention cuts a prefix, so the longest of these ages holds for the whole log. An event that a
  // registered reader has not acknowledged stays longer, but no longer than reader_lost_after.
  std::chrono::hours age{7 * 24};
  std::map<std::string, std::chrono::hours> age_of_family;  // user.erased: 31 days
  std::chrono::hours reader_lost_after{31 * 24};
  std::chrono::milliseconds sweep_every{60'000};
  std::size_t sweep_events_max = 500;  // in one transaction
  // The instance of the service, as in ConsumerOptions: of several on a shared database one sweeps.
  std::string owner = "1";
};

// What a request asks of the log, and the answer before it is HTTP.
struct FeedQuery {
  std::uint32_t partition = 0;
  EventId after;
  std::string log_id;
  std::vector<std::string> families;
  std::chrono::milliseconds timeout{0};
  std::string consumer;
  EventId acknowledged;
};
struct FeedAnswer {
  EventId after;
  EventId through;
  EventId head;
  EventId low;
  std::string log_id;
  std::size_t events = 0;
  std::string body;  // JSON array
};

// The log of this service: its tail in memory, filled by the commits themselves, waiting readers,
// registered readers, retention. Belongs to the service's I/O thread; only the listener that it
// gives to the database runs on the lane's thread. It holds nothing that a crash could lose but
// acknowledgements of the last second, which readers repeat.
class EventLog {
 public:
  // Becomes the database's on_appended listener: make it before the first write. Throws when the
  // log cannot be read. The database and the executor's thread must outlive what stop() ends.
  EventLog(Database& database, std::string service, boost::asio::any_io_executor executor,
           EventLogOptions options = {});
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  void routes(http::Routes& routes);  // the three above, internal()

  // Starts noting readers and cutting what nobody needs; before it, the feed answers all the same.
  void start();
  // Ends waiting requests at once with what there is and ends the work of start().
  Task<> stop();

  // What the routes do. `reader`: the service that asks. Refused: malformed (a partition that the
  // log does not have), log_diverged, log_truncated; or what the database fails with.
  Task<Result<FeedAnswer>> read(FeedQuery query, std::string reader);
  Task<Result<LogDescription>> describe();

  // One round of retention, now: what start() does by timer. Returns how many events it deleted.
  Task<Result<std::size_t>> sweep();

  struct Reader {
    std::string service;
    std::string consumer;
    std::uint32_t partition = 0;
    EventId acknowledged;
    Time seen{};
  };
  std::vector<Reader> readers() const;  // known since the start, with what they acknowledged

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace freehold
