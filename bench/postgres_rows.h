// SPDX-License-Identifier: Apache-2.0
//
// The rows of ceiling_rows.h on PostgreSQL: one session a database, in pipeline mode, one statement
// for all rows of a kind (unnest), everything of a commit in one message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/ceiling_rows.h"
#include "freehold/database/postgres/postgres_connection.h"

namespace bench {

// A database with the tables of a service, made as the service makes them, and one session.
class PostgresRows : public Rows {
 protected:
  PostgresRows(const std::string& url, const std::string& service,
               std::span<const freehold::Migration> migrations);

  using Texts = std::vector<std::optional<std::string_view>>;
  struct Event {
    std::string_view type;
    std::string_view recipient;
    std::string json;
  };

  freehold::PostgresStatement& statement(std::string_view text) {
    return connection_.statement(text);
  }
  void begin(bool moves_cursor);
  // Appends the events, moves the head behind them, commits, and waits until it is on disk.
  void commit(const std::vector<Event>& events);
  static std::vector<std::string> keys_of(const Orders& orders);
  static Texts views_of(const std::vector<std::string>& texts);

 private:
  freehold::PostgresConnection connection_;
  std::int64_t position_ = 0;
  std::int64_t stamp_ = 1;
};

class PostgresOrderRows final : public PostgresRows {
 public:
  explicit PostgresOrderRows(const std::string& url);
  void write(const Orders& confirmed, const Orders& accepted) override;

 private:
  void accept(const Orders& orders, std::vector<Event>& events);
  void confirm(const Orders& orders, std::vector<Event>& events);
};

class PostgresProductRows final : public PostgresRows {
 public:
  PostgresProductRows(const std::string& url, std::size_t products);
  void write(const Orders& sold, const Orders& reserved) override;

 private:
  void change_stock(std::string_view text, const Orders& orders);
};

}  // namespace bench
