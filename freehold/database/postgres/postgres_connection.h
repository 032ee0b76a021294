// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "freehold/base/clock.h"
#include "freehold/database/fault.h"
#include "freehold/database/postgres/postgres_statement.h"
#include "freehold/database/sql.h"

struct pg_conn;

namespace freehold {

class PostgresForesight;
class PostgresGroups;

// One session with a server, in libpq's pipeline mode, used by one thread at a time. Statements are
// queued and leave together; only wait() reads what became of them. Everything that goes wrong is
// thrown as DatabaseFault, by wait(). Who finds a connection lost makes another.
class PostgresConnection {
 public:
  enum class Use { lane, reads, wake_ups };
  struct Options {
    std::string url;
    std::string name;  // the application's, as the server lists it
    Use use = Use::lane;
  };

  // Connects until then, and sets the session up; database_unavailable if it cannot.
  PostgresConnection(const Options& options, Deadline until);
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;
  ~PostgresConnection();

  // Refuses, with database_unavailable and a sentence, a server on which a commit may be lost, and
  // one that does not commit at all. How a commit gets to disk stays as it was found, in this
  // session, also when the server is told otherwise.
  void check_server();
  // Refuses a standby, in the same way: it may be behind what the lane has committed.
  void check_primary();
  // The process that serves this session: always the same, unless somebody stands in between.
  std::string server_process();

  // Statements of services and of the toolkit's rooms, prepared once, ready for a use.
  PostgresStatement& prepared(const sql::Text& text);
  PostgresStatement& statement(std::string_view text, sql::Reach reach = sql::Reach::anything);
  // Any number of statements, inside the transaction that is open. Waits.
  void run_script(std::string_view script);

  // What its transaction knows beforehand, and what it has not sent yet; both are off until a lane
  // begins a transaction with them.
  PostgresForesight& foresight() { return *foresight_; }
  PostgresGroups& groups() { return *groups_; }

  void send_command(std::string_view text);  // BEGIN, SAVEPOINT …
  // Waits for the outcome of all that was sent. Throws the first fault; then nothing that was sent
  // after it has been run, and the transaction is good for a roll-back only. Throws
  // internal::MustRunAlone when a change has not changed as many rows as was assumed.
  void wait();
  // Sends what was kept back, and waits if something was assumed of it.
  void settle_assumptions();
  // The same, if a change was sent whose outcome is not known yet.
  void wait_for_changes();
  // Before a return to a savepoint that was set when nothing had failed: waits for what was sent
  // since, and forgets that some of it failed.
  void forget_failure();
  // Waits until the server, or whoever writes to that file, has something to tell.
  void wait_for_notifications(int other);
  // What another session has said with NOTIFY.
  std::optional<std::string> next_notification();
  // How long wait() waits before it takes the connection for lost.
  void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }

  // Since begin_transaction, and whether it can go on.
  void begin_transaction(std::optional<Deadline> deadline);
  void end_transaction();  // what is sent after it belongs to none
  // Ends the transaction, whatever state it is in, and waits for that; a connection on which it
  // cannot be done is lost.
  void roll_back();
  // The same for one that has only read, and is usable: nobody waits.
  void end_read();
  bool is_usable() const { return !lost_ && !failed_; }
  bool is_lost() const { return lost_; }
  // Between two transactions: whether the server has not ended the session, as far as is known
  // here.
  bool is_alive();
  // The last transaction was undone for the sake of another one: a deadlock.
  bool lost_a_race() const { return lost_a_race_; }
  // It was undone because it did not get a lock in time.
  bool waited_in_vain() const { return waited_in_vain_; }
  // Ends the sessions of this one's role and name, a lane's those of the service's other lanes, in
  // which the server has waited for 2 s for the rest of what a client was sending inside a
  // transaction, and may hold locks: the server's own limit for a silent client runs between two
  // Syncs only. Returns how many; outside of a transaction.
  std::int64_t end_stopped_sessions();
  // Sent, or known to have changed rows; an error counts too, as it has to be undone.
  std::int64_t writes() const { return writes_; }

 private:
  friend class PostgresGroups;
  friend class PostgresStatement;
  enum class Kind { preparation, execution, sync };
  struct Sent {
    Kind kind;
    PostgresStatement* statement = nullptr;
    std::size_t variant = 0;
    bool is_kept = false;             // its rows are read
    std::int64_t rows_expected = -1;  // to be changed; -1: any number
  };
  struct Close {
    void operator()(pg_conn* handle) const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  void connect(const Options& options, Deadline until);
  void poll_socket(bool for_reading, bool for_writing, Deadline until);
  PostgresResult next_result(Deadline until);
  void take(const Sent& sent, PostgresResult result);
  void note_failure(const pg_result* result, const Sent* sent);
  void send_groups();
  void receive();
  void throw_failure();
  PostgresResult run_simple(std::string_view script, std::chrono::milliseconds patience);
  [[noreturn]] void lose(std::string_view why);
  void check_usable() const;
  PostgresStatement& ready(std::unique_ptr<PostgresStatement>& place, std::string_view text,
                           sql::Reach reach = sql::Reach::anything);

  std::unique_ptr<pg_conn, Close> handle_;
  std::chrono::milliseconds patience_{10'000};
  std::deque<Sent> sent_;
  std::optional<DatabaseFault> failure_;
  bool failed_ = false;
  bool lost_ = false;
  bool lost_a_race_ = false;
  bool waited_in_vain_ = false;
  std::optional<Deadline> deadline_;
  std::int64_t writes_ = 0;
  bool has_unknown_changes_ = false;  // sent, and not waited for
  bool has_expectations_ = false;     // of some of them
  bool was_wrong_ = false;            // an expectation
  std::uint64_t names_ = 0;           // of prepared statements
  // Keyed by the address of the text: a literal's, which lasts as long as the program.
  std::unordered_map<const char*, std::unique_ptr<PostgresStatement>> by_address_;
  std::unordered_map<std::string, std::unique_ptr<PostgresStatement>, TextHash, std::equal_to<>>
      by_text_;
  const std::unique_ptr<PostgresForesight> foresight_;
  const std::unique_ptr<PostgresGroups> groups_;
};

}  // namespace freehold
