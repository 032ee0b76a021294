// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "freehold/database/postgres/postgres_statement.h"

namespace freehold {

class PostgresConnection;

// The changes by key (sql::by_key) that the bodies of a batch have made, until they are sent: those
// of one text are one statement for many rows. Changes of one key keep their order, in statements
// of their own if need be, or are summed (sql::sum_by_key); a change that is not by key comes
// behind all that were made before it. Rows are changed in the order of their keys.
class PostgresGroups {
 public:
  explicit PostgresGroups(PostgresConnection& connection) : connection_(connection) {}

  // A transaction begins. Off, each change is sent by itself.
  void begin(bool is_on);
  // Takes the change as it is bound. False: it must be sent by itself. `expects_one`: if it should
  // not change exactly one row, all of the transaction's changes are wrong.
  bool add(PostgresStatement& change, bool expects_one);
  // Sends them, and waits for nothing.
  void send();
  bool is_empty() const { return groups_.empty(); }

 private:
  // Changes that one statement can make: of one text, with nulls in the same places.
  struct Kind {
    const PostgresStatement* change;
    PostgresStatement* many;
    std::vector<unsigned> types;  // of the parameters; 0: null
    bool expects_one;
    std::size_t newest = 0;  // its last group, counted from 1; 0: none
  };
  struct Row {
    std::string key;
    std::vector<std::string> values;
  };
  struct Group {
    Kind* kind;
    std::vector<Row> rows;
  };

  Kind& kind_of(PostgresStatement& change, bool expects_one);
  static bool has_summed(Group& group, const PostgresStatement& change, const std::string& key);
  void send(Group& group);

  PostgresConnection& connection_;
  bool is_on_ = false;
  std::deque<Kind> kinds_;
  std::vector<Group> groups_;
  std::unordered_map<std::string, std::size_t> group_of_key_;  // the last, counted from 1
};

}  // namespace freehold
