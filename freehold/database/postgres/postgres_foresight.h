// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/database/postgres/postgres_statement.h"

namespace freehold {

class PostgresConnection;

// What a transaction knows beforehand of the rows and locks that its bodies will ask for: each
// query of one key (sql::by_key, sql::estimate, sql::lock_by_key) is asked once for all keys that
// are wanted, in their order, so that two lanes that want the same ones wait in no circle. An
// answer holds until this transaction changes something of its key; the row of a locking query
// changes under nobody else's hand.
class PostgresForesight {
 public:
  // `exact`: an estimate is given up with its key as well, and what a savepoint takes back is
  // forgotten (forget()).
  enum class Use { off, exact, whole };

  explicit PostgresForesight(PostgresConnection& connection) : connection_(connection) {}

  // A transaction begins: of it, nothing is known.
  void begin(Use use);
  void forget();

  // As SqlTransaction::look_ahead; `run` undoes what it did in memory, however it is left. While a
  // body is looked at nothing of it is sent, and what it asks for, and is not known, has no rows:
  // most often that is so, and it goes on to its next question. Who was told wrong is looked at
  // again.
  void look_ahead(std::size_t bodies, const std::function<void(std::size_t)>& run);
  bool is_looking() const { return is_looking_; }

  void want(PostgresStatement& query);
  // Gives the query what is known for its answer. False: it must be asked.
  bool answer(PostgresStatement& query);
  // True: that lock is held, or will be when something is read.
  bool holds(PostgresStatement& lock);

  void changed(std::string_view key);
  void changed_anything();

  // The first parameter, with its type: what a statement is about.
  static std::string key_of(const PostgresStatement& statement);

 private:
  struct Answer {
    std::shared_ptr<pg_result> result;
    std::vector<int> rows;
  };
  struct Asked {
    PostgresStatement* query;
    sql::Reach reach;
    std::map<std::string, Answer, std::less<>> known;
    std::set<std::string, std::less<>> wanted;
  };
  using Told = std::vector<std::pair<Asked*, std::string>>;  // that there is nothing of that key

  Told told_to(const std::function<void(std::size_t)>& run, std::size_t body);
  static bool was_wrong(const Told& told);
  void fetch();  // asks for what is wanted, and waits for it
  Asked& asked(PostgresStatement& query);
  bool may_know(const PostgresStatement& query) const;
  PostgresStatement& ask(Asked& asked);
  void take(Asked& asked, PostgresStatement& many);

  PostgresConnection& connection_;
  Use use_ = Use::off;
  bool is_looking_ = false;
  Told told_;
  bool has_wants_ = false;
  std::map<std::string_view, Asked> asked_;  // by text: one order of them in all instances
};

}  // namespace freehold
