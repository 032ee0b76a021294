// SPDX-License-Identifier: Apache-2.0
//
// Mistakes and what the compiler says about each. Compiled once without a mistake, which must
// succeed, and once for each, which must fail with its sentence (see CMakeLists.txt).
#include "freehold/schema/json.h"
#include "freehold/schema/json_schema.h"
#include "freehold/schema/row.h"

namespace {

struct Line {
  std::string sku;
  int quantity = 0;
  bool gift = false;
};
#if defined(MISTAKE_member_not_described)
BOOST_DESCRIBE_STRUCT(Line, (), (sku, gift))
#else
BOOST_DESCRIBE_STRUCT(Line, (), (sku, quantity, gift))
#endif

struct Part {
#if defined(MISTAKE_subset_with_a_member_of_its_own)
  int colour = 0;
#elif defined(MISTAKE_subset_of_another_type)
  long sku = 0;
#else
  std::string sku;
#endif
};
#if defined(MISTAKE_subset_with_a_member_of_its_own)
BOOST_DESCRIBE_STRUCT(Part, (), (colour))
#else
BOOST_DESCRIBE_STRUCT(Part, (), (sku))
#endif

struct Odd {
#if defined(MISTAKE_member_without_json)
  void* pointer = nullptr;
#elif defined(MISTAKE_member_without_column)
  std::uint64_t pointer = 0;
#elif defined(MISTAKE_row_that_borrows)
  std::string_view pointer;
#else
  int pointer = 0;
#endif
};
BOOST_DESCRIBE_STRUCT(Odd, (), (pointer))

#if defined(MISTAKE_base_class)
struct Derived : Line {};
BOOST_DESCRIBE_STRUCT(Derived, (Line), ())
#else
struct Derived {};
BOOST_DESCRIBE_STRUCT(Derived, (), ())
#endif

}  // namespace

std::size_t use(const freehold::RowSource& row) {
  const Line line{};
  const auto read = freehold::read_json<Line>("{}", freehold::Strictness::strict);
  const auto odd = freehold::read_row<Odd>(row, {});
  const auto part = freehold::narrowed<Part>(line);
  return freehold::to_json(line).size() + freehold::to_json(odd).size() +
         freehold::to_json(part).size() + freehold::to_json(Derived{}).size() +
         freehold::column_names<Line>().size() + (read ? 1U : 0U);
}
