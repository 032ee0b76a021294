// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/saga_story.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "freehold/base/errors.h"
#include "freehold/schema/json.h"

namespace freehold {
namespace {

// The members of a CloudEvent in the log that a story looks at.
struct LoggedCommand {
  std::string type;
  std::optional<std::string> requestid;
  RawJson data;
};
BOOST_DESCRIBE_STRUCT(LoggedCommand, (), (type, requestid, data))

constexpr std::size_t events_max = 10'000;

std::vector<LoggedCommand> commands_in(Books& books) {
  std::vector<LoggedCommand> commands;
  for (const StoredEvent& event : books.events_after(0, 0, events_max, 64 << 20)) {
    if (event.recipient.empty()) continue;
    auto command = read_json<LoggedCommand>("{" + event.json + "}", Strictness::tolerant);
    FREEHOLD_ASSERT(command, "the log holds an event that cannot be read");
    commands.push_back(*std::move(command));
  }
  return commands;
}

}  // namespace

SagaStory::SagaStory(internal::SagaProgram program, std::span<const Migration> migrations,
                     const Given& start)
    : id_(std::string{program.name} + "/story") {
  if (own_service().empty()) set_own_service("story");
  sagas_ = std::make_unique<Sagas>(*database_, database_.executor());
  sagas_->add(std::move(program));
  database_.migrate(migrations);
  const Result<> started = database_.write([&](SqlTransaction& transaction) -> Result<> {
    start(transaction);
    return {};
  });
  told_.emplace_back("the saga is started");
  if (started) return;
  has_failed_ = true;
  ADD_FAILURE() << "the saga could not be started: " << started.error().text();
}

SagaStory::~SagaStory() = default;

bool SagaStory::line(std::string text) {
  if (has_failed_) return false;
  const auto findings = sagas_->check();
  FREEHOLD_ASSERT(findings, "the journals cannot be read");
  if (!findings->empty()) {
    has_failed_ = true;
    ADD_FAILURE() << told_so_far() << "replayed from its journal, the saga differs:\n    step "
                  << findings->front().step << ": " << findings->front().what;
    return false;
  }
  told_.push_back(std::move(text));
  return true;
}

// The steps of the journal in their order, each command with its contents from the log. What fail()
// sent stands before its step; a resume that failed stands at the end.
std::vector<SagaStory::Happening> SagaStory::happenings() {
  return database_.read([&](SqlTransaction& transaction) {
    Books& books = transaction.books();
    std::vector<Happening> happened;
    const auto commands = commands_in(books);
    auto command = commands.begin();
    const auto take_command = [&] {
      happened.push_back(
          {command->type, true, command->data.text, command->requestid.value_or("")});
      ++command;
    };
    const auto saga = books.saga(id_);
    FREEHOLD_ASSERT(saga, "the saga of this story was not started");
    for (const JournalEntry& entry : saga->journal) {
      const std::string_view name = entry.name;
      const std::string_view kind = name.substr(0, name.find(' '));
      const std::string_view what = name.substr(std::min(name.size(), kind.size() + 1));
      if (kind == "request" || kind == "tell") {
        while (command != commands.end() && command->type != what) ++command;
        if (command != commands.end()) take_command();
      } else if (kind == "run" || kind == "fail") {
        while (kind == "fail" && command != commands.end()) take_command();
        const bool is_refused = entry.state == StepState::refused;
        happened.push_back({std::string{what}, false, is_refused ? entry.outcome.text : "", {}});
      }
    }
    for (const AsideEvent& attempt : books.aside_of("saga", id_))
      happened.push_back({"a failure: " + attempt.why, false, {}, {}});
    return happened;
  });
}

std::optional<SagaStory::Happening> SagaStory::next() {
  const auto happened = happenings();
  if (happened_ >= happened.size()) return std::nullopt;
  return happened[happened_];
}

SagaStory& SagaStory::expect_command(std::string_view type,
                                     const std::optional<std::string>& contents) {
  std::string text = "sends " + std::string{type};
  if (contents) text += " " + *contents;
  if (!line(text)) return *this;
  const auto happened = next();
  const bool is_it = happened && happened->is_command && happened->what == type;
  if (!is_it || (contents && happened->contents != *contents)) {
    fail(text, happened);
    return *this;
  }
  ++happened_;
  if (!happened->request_id.empty()) last_request_ = happened;
  return *this;
}

SagaStory& SagaStory::refused(const ErrorCode& code) {
  return reply_with("\"status\":\"refused\",\"error\":" + error_to_json(code));
}

SagaStory& SagaStory::reply_with(const std::string& answer) {
  if (!line("is answered {" + answer + "}")) return *this;
  if (!last_request_) {
    fail("a request that can be answered", next());
    return *this;
  }
  const std::string data = "{" + answer + ",\"command\":\"" + last_request_->what + "\"}";
  const Delivery reply{.source = service_of(last_request_->what),
                       .id = {},
                       .type = "freehold.reply.v1",
                       .subject = {},
                       .partition_key = {},
                       .request_id = {},
                       .in_reply_to = last_request_->request_id,
                       .trace_parent = {},
                       .time = now(),
                       .data = data};
  const Result<> done = database_.write([&](SqlTransaction& transaction) -> Result<> {
    sagas_->take_reply(transaction, reply);
    return {};
  });
  if (!done) fail("that the reply can be taken: " + done.error().text(), std::nullopt);
  return *this;
}

SagaStory& SagaStory::time_passes(std::chrono::microseconds duration) {
  if (!line("waits " + std::to_string(duration.count() / 1'000'000) + " s")) return *this;
  clock_.advance(duration);
  const auto fired = database_.run(sagas_->fire_due());
  if (!fired) fail("that what is due can be fired: " + fired.error().text(), std::nullopt);
  return *this;
}

SagaStory& SagaStory::meanwhile(const Given& body) {
  if (!line("meanwhile the service does something else")) return *this;
  const Result<> done = database_.write([&](SqlTransaction& transaction) -> Result<> {
    body(transaction);
    return {};
  });
  if (!done) fail("that it can be done: " + done.error().text(), std::nullopt);
  return *this;
}

SagaStory& SagaStory::expect_step(std::string_view name) {
  const std::string text = "runs `" + std::string{name} + "`";
  if (!line(text)) return *this;
  const auto happened = next();
  if (!happened || happened->is_command || happened->what != name || !happened->contents.empty())
    fail(text, happened);
  ++happened_;
  return *this;
}

SagaStory& SagaStory::expect_step_refused(std::string_view name, const ErrorCode& code) {
  const std::string text = "runs `" + std::string{name} + "`, refused: " + std::string{code.name};
  if (!line(text)) return *this;
  const auto happened = next();
  const bool is_it = happened && !happened->is_command && happened->what == name &&
                     !happened->contents.empty() && error_from_json(happened->contents).is(code);
  if (!is_it) fail(text, happened);
  ++happened_;
  return *this;
}

SagaStory& SagaStory::expect_that(std::string_view what,
                                  const std::function<bool(SqlTransaction&)>& holds) {
  if (!line("and " + std::string{what})) return *this;
  if (!database_.read([&](SqlTransaction& transaction) { return holds(transaction); }))
    fail(std::string{what}, std::nullopt);
  return *this;
}

SagaStory& SagaStory::ends() {
  if (!line("ends")) return *this;
  if (const auto happened = next()) {
    fail("the end", happened);
    return *this;
  }
  const auto saga =
      database_.read([&](SqlTransaction& transaction) { return transaction.books().saga(id_); });
  if (!saga || (saga->status != SagaStatus::ended && saga->status != SagaStatus::failed))
    fail("the end", std::nullopt);
  return *this;
}

void SagaStory::fail(const std::string& expected, const std::optional<Happening>& happened) {
  has_failed_ = true;
  told_.pop_back();  // the line that does not hold
  const auto saga =
      database_.read([&](SqlTransaction& transaction) { return transaction.books().saga(id_); });
  std::string instead = "    the saga is " + std::string{to_name(saga->status)};
  if (!saga->why.empty()) instead += ": " + saga->why;
  if (happened) instead = text_of(*happened);
  ADD_FAILURE() << told_so_far() << "  - " << expected << "\n  + " << instead.substr(4);
}

std::string SagaStory::told_so_far() const {
  std::string text = "the story so far (- expected, + happened):\n";
  for (const std::string& each : told_) text += "    " + each + "\n";
  return text;
}

std::string SagaStory::text_of(const Happening& happening) {
  if (happening.is_command) return "    sends " + happening.what + " " + happening.contents;
  if (happening.contents.empty()) return "    runs `" + happening.what + "`";
  return "    runs `" + happening.what +
         "`, refused: " + std::string{error_from_json(happening.contents).name()};
}

}  // namespace freehold
