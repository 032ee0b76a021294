// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "freehold/events/event_log.h"
#include "freehold/events/internal/family_filter.h"
#include "freehold/events/internal/log_tail.h"
#include "freehold/events/internal/signal.h"
#include "freehold/events/internal/waiter.h"
#include "freehold/http/call.h"
#include "freehold/http/message.h"
#include "freehold/http/reply.h"

namespace freehold {

namespace internal {
struct FeedInput;
struct StatesInput;
}  // namespace internal

// What EventLog is made of. Tails, waiting readers and registered readers are under one mutex, held
// for moments; all else belongs to the service's I/O thread.
class EventLog::State : public std::enable_shared_from_this<State> {
 public:
  State(Database& database, std::string service, boost::asio::any_io_executor executor,
        EventLogOptions options);

  void listen();  // becomes the database's listener
  void start();
  Task<> stop();

  Task<Result<FeedAnswer>> read(FeedQuery query, std::string reader);
  Task<Result<LogDescription>> describe();
  Task<Result<std::size_t>> sweep();
  std::vector<Reader> readers() const;

  // The routes' handlers.
  Task<Result<http::Response>> get_log(http::None none, http::Call call);
  Task<Result<http::Response>> get_range(internal::FeedInput input, http::Call call);
  Task<Result<http::Response>> get_states(internal::StatesInput input, http::Call call);

 private:
  // An answer as it grows, and how far the log was looked through for it.
  struct Progress {
    FeedAnswer answer;
    bool full = false;  // nothing more fits, or enough was looked through
  };
  // (service, consumer, partition)
  using ReaderName = std::tuple<std::string, std::string, std::uint32_t>;
  struct RegisteredReader {
    EventId acknowledged;
    Time seen{};
    EventId noted;  // what the database holds of it
    Time noted_at{};
  };
  // A round of retention on one partition, and what it found.
  struct Cut {
    std::size_t deleted = 0;
    bool done = true;
    Head head{};
    std::vector<ReaderRecord> lost{};
  };

  void appended(std::span<const StoredEvent> events);
  void appended_elsewhere();

  bool look(Progress& progress, const internal::FamilyFilter& filter,
            std::span<const StoredEvent> events) const;
  bool read_tail(Progress& progress, const internal::FamilyFilter& filter);
  Task<Result<>> read_database(Progress* progress, const internal::FamilyFilter* filter);
  Result<> check_place(const EventId& place, const Standing& standing) const;
  struct Seen {
    std::uint64_t commits;  // that the tail was told of
    std::uint64_t hints;    // of commits of other instances
    bool is_in_tail;        // whatever they may have committed, as far as is known
  };
  // How far the database was read because of commits of other instances.
  struct Elsewhere {
    std::uint64_t hints = 0;
    std::uint64_t position = 0;
  };
  Seen seen(std::uint32_t partition) const;
  void note_read(const FeedAnswer& answer, const Seen& before);
  Task<bool> wait(std::uint32_t partition, Seen seen_before, SteadyClock::time_point until);

  void note(const FeedQuery& query, const std::string& reader);
  Task<> write_readers();
  bool sweeps(SqlTransaction& transaction) const;
  Cut cut_piece(SqlTransaction& transaction, std::uint32_t partition) const;
  void forget(const std::vector<ReaderRecord>& lost);
  Task<> upkeep();

  Database& database_;
  const std::string service_;
  const boost::asio::any_io_executor executor_;
  const EventLogOptions options_;
  LogIdentity log_;

  mutable std::mutex mutex_;  // guards what follows
  std::vector<internal::LogTail> tails_;
  std::vector<EventId> lows_;
  std::vector<std::vector<std::shared_ptr<internal::Waiter>>> waiting_;
  std::map<ReaderName, RegisteredReader> readers_;
  std::uint64_t hints_ = 0;
  std::vector<Elsewhere> elsewhere_;  // by partition
  bool stopping_ = false;

  internal::Signal stop_asked_;
  internal::Signal stopped_;
  bool at_work_ = false;
};

}  // namespace freehold
