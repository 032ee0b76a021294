// SPDX-License-Identifier: Apache-2.0
//
// Mistakes, one at a time; what the compiler says about each is tested (CMakeLists.txt).
#include "freehold/database/database.h"

namespace freehold {

struct ShelfId : Id<ShelfId> {};
struct BookId : Id<BookId> {};

constexpr sql::Query<std::int64_t(ShelfId)> books_on{"select count(*) from book where shelf = $1"};

Task<Result<>> write_something(Database& database, ShelfId shelf) {
  int runs = 0;
#ifdef MISTAKE_mutable_body
  co_return co_await database.write([runs](SqlTransaction&) mutable { ++runs; });
#elif defined(MISTAKE_coroutine_body)
  co_return co_await database.write(
      [](SqlTransaction&) -> Task<Result<>> { co_return Result<>{}; });
#elif defined(MISTAKE_coroutine_in_a_read)
  co_return co_await database.read([](SqlTransaction&) -> Task<> { co_return; });
#elif defined(MISTAKE_body_without_a_transaction)
  co_return co_await database.write([] {});
#elif defined(MISTAKE_body_that_returns_a_reference)
  co_return co_await database.write(
      [](SqlTransaction& transaction) -> SqlTransaction& { return transaction; });
#elif defined(MISTAKE_id_of_another_type)
  co_return co_await database.write(
      [](SqlTransaction& transaction) { (void)transaction.first(books_on, BookId::make()); });
#elif defined(MISTAKE_parameter_missing)
  co_return co_await database.write(
      [](SqlTransaction& transaction) { (void)transaction.first(books_on); });
#elif defined(MISTAKE_outcome_dropped)
  co_await database.write([](SqlTransaction&) {});
#elif defined(MISTAKE_undeclared_parameter)
  static constexpr sql::Change<void(ShelfId)> wrong{"delete from book where shelf = $2"};
  co_return co_await database.write([shelf](SqlTransaction& t) { t.run(wrong, shelf); });
#endif
  co_return co_await database.write([runs, shelf](SqlTransaction& transaction) {
    (void)(transaction.first(books_on, shelf) == runs);
  });
}

}  // namespace freehold
