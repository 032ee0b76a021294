// SPDX-License-Identifier: Apache-2.0
//
// Mistakes in the declaration of a replica; CMakeLists.txt says what the compiler answers to each.
#include "freehold/replica/test_library.h"

namespace freehold {

#if defined(MISTAKE_row_without_the_subject)

struct Row {
  std::int64_t books;
};
BOOST_DESCRIBE_STRUCT(Row, (), (books))

#elif defined(MISTAKE_row_with_a_member_of_its_own)

struct Row {
  std::string shelf;
  std::int64_t readers;
};
BOOST_DESCRIBE_STRUCT(Row, (), (shelf, readers))

#elif defined(MISTAKE_row_of_another_type)

struct Row {
  std::string shelf;
  std::string books;
};
BOOST_DESCRIBE_STRUCT(Row, (), (shelf, books))

#else

struct Row {
  std::string shelf;
  std::int64_t books;
};
BOOST_DESCRIBE_STRUCT(Row, (), (shelf, books))

#endif

inline constexpr Replica<ShelfState, Row> replica{"row_replica"};

ReplicaProgram used();
ReplicaProgram used() {
  return replica.program();
}

}  // namespace freehold
