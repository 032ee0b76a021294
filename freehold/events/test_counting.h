// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: "counter" publishes what it counts, "keeper" keeps each number once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/events/test_contract.h"
#include "freehold/events/test_service.h"

namespace freehold {

// What the keeper has kept: a row for each effect, in the order of the effects.
struct KeptRow {
  std::int64_t place;
  std::string box;
  std::int64_t number;
};
BOOST_DESCRIBE_STRUCT(KeptRow, (), (place, box, number))

// The keeper's handler: one more row for each event, whatever was there before. It fails while the
// number is `bad_number`.
void keep(SqlTransaction& transaction, const Counted& event, const Delivery& delivery);
inline std::atomic<std::int64_t> bad_number = -1;

class CountingTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  void start_counter(std::uint16_t port = 0);
  void start_keeper();
  void count(const std::string& box, std::int64_t first, std::int64_t last);
  Consumer keeping(BeginAt begin = BeginAt::start) const;
  ConsumerLoop& keep_counting(ConsumerOptions options = quick_options());

  std::vector<KeptRow> kept();
  std::vector<std::int64_t> numbers(const std::string& box);  // kept, in their order
  std::size_t kept_count();
  std::vector<AsideEvent> aside();
  bool comes_to(ConsumerLoop& loop, ConsumerState state);

  TemporaryDirectory directory_;
  std::uint32_t partitions_ = 1;
  std::unique_ptr<TestService> counter_;
  std::unique_ptr<TestService> keeper_;
};

}  // namespace freehold
