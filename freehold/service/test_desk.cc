// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: a whole service, with notes that anybody may write. It believes the tokens
// of "user" if that is one of its peers, and hears the notes of a desk called "bell" if that is
// one. Environment: DESK_NAME in place of its own; DESK_MIGRATION in place of its first migration;
// DESK_SECOND_MIGRATION is another one.
#include <unistd.h>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>

#include "freehold/base/clock.h"
#include "freehold/base/record.h"
#include "freehold/service/service.h"

namespace freehold {
namespace {

struct Note {
  std::int64_t id;
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Note, (), (id, text))

struct NewNote {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(NewNote, (), (text))

struct NoteId {
  std::int64_t id;
};
BOOST_DESCRIBE_STRUCT(NoteId, (), (id))

// What the bell says of each of its notes.
struct NoteAdded {
  std::string note;
  static constexpr std::string_view type = "bell.note_added.v1";
  static constexpr auto subject = &NoteAdded::note;
};
BOOST_DESCRIBE_STRUCT(NoteAdded, (), (note))

struct Count {
  std::int64_t count;
};
BOOST_DESCRIBE_STRUCT(Count, (), (count))

struct Me {
  std::string subject;
};
BOOST_DESCRIBE_STRUCT(Me, (), (subject))

constexpr sql::Query<NoteId(std::string)> insert_note{
    "insert into note (text) values ($1) returning id"};
constexpr sql::Change<void(std::int64_t)> delete_note{"delete from note where id = $1"};
constexpr sql::Query<Count()> count_notes{"select count(*) as count from note"};
constexpr sql::Change<void(std::int64_t, std::int64_t)> insert_heard{
    "insert into heard (note, process) values ($1, $2)"};

// Which of several instances heard it, and whether any did twice, is seen in the table.
void hear(SqlTransaction& transaction, const NoteAdded& added, const Delivery&) {
  transaction.run(insert_heard, std::stoll(added.note), ::getpid());
}

class Notes {
 public:
  Notes(Database& database, http::Peer* bell) : database_(database), bell_(bell) {}

  void routes(http::Routes& routes) {
    routes.post<"/api/notes">(&Notes::add, *this).open();
    routes.post<"/api/slow-notes">(&Notes::add_slowly, *this).open();
    routes.get<"/api/notes">(&Notes::count, *this).open();
    routes.del<"/api/notes/{id}">(&Notes::remove, *this).open();
    if (bell_) routes.get<"/api/notes-of-bell">(&Notes::count_of_bell, *this).open();
    routes.get<"/api/me">(&Notes::me, *this).requires_role("customer");
  }

 private:
  Task<Result<http::Reply<NoteId>>> add(NewNote note, http::Call) {
    FREEHOLD_CO_TRY(const NoteId id, co_await database_.write([note](SqlTransaction& transaction) {
      const NoteId made = *transaction.first(insert_note, note.text);
      if (own_service() == "bell") append(transaction, NoteAdded{std::to_string(made.id)});
      return made;
    }));
    co_return http::Reply<NoteId>{.status = 201, .body = id};
  }
  Task<Result<http::Reply<NoteId>>> add_slowly(NewNote note, http::Call call) {
    boost::asio::basic_waitable_timer<SteadyClock> timer{co_await boost::asio::this_coro::executor};
    timer.expires_after(std::chrono::milliseconds{300});
    record(Severity::info, "slow note begun");
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return co_await add(std::move(note), call);
  }
  Task<Result<Count>> count(http::None, http::Call) {
    co_return co_await database_.read(
        [](SqlTransaction& transaction) { return *transaction.first(count_notes); });
  }
  Task<Result<Count>> count_of_bell(http::None, http::Call call) {
    co_return co_await bell_->get<"/api/notes", Count>(http::None{}, call);
  }
  Task<Result<http::Reply<void>>> remove(NoteId note, http::Call) {
    FREEHOLD_CO_TRY(co_await database_.write(
        [note](SqlTransaction& transaction) { transaction.run(delete_note, note.id); }));
    co_return http::Reply<void>{};
  }
  Task<Result<Me>> me(http::None, http::Call call) { co_return Me{call.caller().subject}; }

  Database& database_;
  http::Peer* const bell_;
};

std::vector<Migration> migrations() {
  const char* first = std::getenv("DESK_MIGRATION");          // NOLINT(concurrency-mt-unsafe)
  const char* second = std::getenv("DESK_SECOND_MIGRATION");  // NOLINT(concurrency-mt-unsafe)
  std::vector<Migration> steps{
      {1, "notes", MigrationKind::expand,
       first ? first
             : "create table note (id integer primary key, text text not null);"
               "create table heard (note integer not null, process integer not null)",
       first ? ""
             : "create table note (id bigint generated always as identity primary key, "
               "text text not null);"
               "create table heard (note bigint not null, process bigint not null)"}};
  if (second) steps.push_back({2, "more", MigrationKind::expand, second});
  return steps;
}

int serve(int argc, char** argv) {
  const char* name = std::getenv("DESK_NAME");  // NOLINT(concurrency-mt-unsafe)
  Service service{name ? name : "desk", argc, argv};
  const std::vector<Migration> steps = migrations();
  const auto& peers = service.configuration().peers;
  const bool has_bell = peers.contains("bell");
  Database& database = service.database(steps);
  Notes notes{database, has_bell ? &service.peer("bell") : nullptr};
  if (peers.contains("user")) service.believes_tokens_of("user", "shop");
  if (has_bell) service.consume(Consumer{"hearing", "bell"}.on<NoteAdded>(hear));
  notes.routes(service.routes());
  return service.run();
}

}  // namespace
}  // namespace freehold

int main(int argc, char** argv) {
  return freehold::serve(argc, argv);
}
