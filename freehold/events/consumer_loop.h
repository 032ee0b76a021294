// SPDX-License-Identifier: Apache-2.0
//
// Runs one consumer: reads ahead in the source's log, applies what comes in transactions that move
// the cursor, sets aside what cannot be applied, and stops loudly when the log is not the one that
// it has read. The rules, in full, are in README.md of this room.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/events/consumer.h"
#include "freehold/events/feed.h"

namespace freehold {

struct ConsumerOptions {
  std::size_t batch_events_max = 512;               // applied in one transaction
  std::size_t pending_events_max = 4'096;           // read ahead of the cursor, in one partition
  std::size_t pending_bytes_max = 8 << 20;          // the same in bytes
  std::chrono::milliseconds poll_timeout{20'000};   // how long the source may wait for events
  std::chrono::milliseconds answer_timeout{5'000};  // beyond that, until an answer is given up
  std::chrono::milliseconds backoff_first{50};      // peer or database absent: doubled, ± half
  std::chrono::milliseconds backoff_max{5'000};
  std::chrono::milliseconds retry_first{1'000};  // of an event set aside: doubled each time
  std::chrono::milliseconds retry_max{300'000};
  int attempts_max = 10;            // then it is parked
  std::size_t keys_aside_max = 10;  // new ones in a minute; one more stops the consumer
  int crashes_max = 3;              // at one position; then it is set aside, parked
  std::chrono::milliseconds waypoint_every{60'000};
  // Of several instances of the service one at a time owns the consumer: until its lease, which it
  // renews three times as often, has ended, or at once until its stop().
  std::chrono::milliseconds lease{30'000};
  // The instance that runs this. Where there is one alone, the same after its restart; where there
  // are several, drawn at each start, so that nobody takes himself for one who has died.
  std::string owner = "1";
};

enum class ConsumerState {
  waiting,  // for its peer, its database or its lease: see last_error
  running,
  stopped,  // by itself, see report; or not started
};

struct PartitionProgress {
  EventId cursor;  // committed here
  EventId head;    // of the source, as last heard
  std::uint64_t lag() const {
    return head.position > cursor.position ? head.position - cursor.position : 0;
  }
};

struct ConsumerStatus {
  ConsumerState state = ConsumerState::stopped;
  std::string report{};      // why it stopped by itself; names both places
  std::string last_error{};  // why it waits, or what was set aside last
  std::vector<PartitionProgress> partitions{};
  std::size_t keys_aside = 0;
  std::uint64_t applied = 0;  // events since the start
  std::uint64_t lag() const;
};

// One consumer at work. Belongs to the service's I/O thread, except status(), which any may ask.
// Everything that matters is in the database: cursor, set-aside events and a report that stops it
// survive a crash, and the next start goes on from there.
class ConsumerLoop {
 public:
  // `database` and `source` must outlive what stop() ends.
  ConsumerLoop(Database& database, Feed& source, Consumer consumer,
               boost::asio::any_io_executor executor, ConsumerOptions options = {});
  ~ConsumerLoop();
  ConsumerLoop(const ConsumerLoop&) = delete;
  ConsumerLoop& operator=(const ConsumerLoop&) = delete;

  // Begins to work. A consumer that stopped itself for its log's sake stays stopped, with its
  // report, until rejoin() or rebuild(), here or at another instance.
  void start();

  // Ends: nothing more is read, what was handed to the database is awaited, a clean stop is noted,
  // and the lease is another's who waits for it. Takes answer_timeout at most while the source is
  // being asked what its log is. Afterwards start() may begin anew.
  Task<> stop();

  ConsumerStatus status() const;
  const Consumer& consumer() const;

  // The next three are a person's commands, to any instance. After the first two the one that was
  // asked owns the consumer; the third is carried out by whoever does.
  //
  // After a restored source was looked at: sets the cursors to the last place that this consumer
  // and the source's log have in common, and goes on. What came between is gone, or
  // comes a second time. Refused: not_the_owner (another instance was asked meanwhile, or an event
  // was being applied: ask again). Fails with log_truncated (the common place is no longer kept),
  // or when the source or the database cannot be asked. Then the cursors and the report are as
  // before.
  Task<Result<>> rejoin();

  // Begins anew through the consumer's rebuild_on_divergence. Refused: not_found, if it has none;
  // else what that one fails with.
  Task<Result<>> rebuild();

  // The events of this key are tried again, in their order, now. Refused: not_found.
  Task<Result<>> redrive(std::string key);

 private:
  class Run;
  std::shared_ptr<Run> run_;
};

}  // namespace freehold
