// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/migration.h"
#include "freehold/events/event.h"
#include "freehold/saga/saga.h"
#include "freehold/saga/sagas.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/scratch_database.h"

namespace freehold {

// A saga's test, told line by line:
//
//   SagaStory an_order() { return SagaStory{place_order, migrations(), placement, insert_order}; }
//
//   an_order().expect<product::ReserveStock>().answered(product::StockReserved{})
//             .expect_step("confirm")
//             .expect<product::SellStock>()
//             .ends();
//
// The saga runs on the service's own tables in a real SQLite file; the story plays the other
// services and the time. Before each line the body is replayed from its journal, as in production
// it is by every reply, so every story is also a test of a crash at every step. What happens is
// told in the order of the journal; a line that expects something else fails the test, with the
// story so far, and the lines after it are not told.
//
// One story at a time: it installs a ManualClock for the process.
class SagaStory {
 public:
  using Given = std::function<void(SqlTransaction&)>;

  // Starts the saga in one transaction with what is `given`.
  template <class Context, class Input>
  SagaStory(const SagaDefinition<Context, Input>& definition, std::span<const Migration> migrations,
            Input input, const Given& given = {})
      : SagaStory(definition.program(), migrations, [&](SqlTransaction& transaction) {
          if (given) given(transaction);
          definition.start(transaction, "story", input);
        }) {}
  SagaStory(const SagaStory&) = delete;
  SagaStory& operator=(const SagaStory&) = delete;
  ~SagaStory();

  // The saga sends this command next: as a request, a tell or an undo.
  template <Command C>
  SagaStory& expect() {
    return expect_command(C::type, std::nullopt);
  }
  // … with these contents.
  template <Command C>
  SagaStory& expect(const C& command) {
    return expect_command(C::type, to_json(command));
  }

  // The request that was sent last is answered so.
  template <Described R>
  SagaStory& answered(const R& reply) {
    return reply_with("\"status\":\"done\",\"reply\":" + to_json(reply));
  }
  SagaStory& refused(const ErrorCode& code);

  // The clock goes on by that much, then what is due is fired.
  SagaStory& time_passes(std::chrono::microseconds duration);

  // A transaction of the service, between two steps of the saga.
  SagaStory& meanwhile(const Given& body);

  // The saga ran its step of that name: run(…), not refused, or fail(…).
  SagaStory& expect_step(std::string_view name);
  // … run(…), refused with that code.
  SagaStory& expect_step_refused(std::string_view name, const ErrorCode& code);

  // What the tables hold now.
  SagaStory& expect_that(std::string_view what, const std::function<bool(SqlTransaction&)>& holds);

  // Nothing more happens, and the saga has ended: by itself or by fail().
  SagaStory& ends();

 private:
  // What the saga did, as it can be expected by a line.
  struct Happening {
    std::string what;  // "product.reserve_stock.v1", or the step's name
    bool is_command = false;
    std::string contents;    // a command's data, or the error of a refused step, as JSON
    std::string request_id;  // of a request
  };

  SagaStory(internal::SagaProgram program, std::span<const Migration> migrations,
            const Given& start);

  SagaStory& expect_command(std::string_view type, const std::optional<std::string>& contents);
  SagaStory& reply_with(const std::string& answer);
  bool line(std::string text);  // false: the story has failed before
  std::optional<Happening> next();
  std::vector<Happening> happenings();
  void fail(const std::string& expected, const std::optional<Happening>& happened);
  std::string told_so_far() const;
  static std::string text_of(const Happening& happening);

  ManualClock clock_;
  ScratchDatabase database_;
  std::unique_ptr<Sagas> sagas_;
  std::string id_;
  std::size_t happened_ = 0;  // how many happenings the lines have taken
  std::optional<Happening> last_request_;
  std::vector<std::string> told_;
  bool has_failed_ = false;
};

}  // namespace freehold
