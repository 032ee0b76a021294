// SPDX-License-Identifier: Apache-2.0
#include "bench/postgres_rows.h"

#include <algorithm>
#include <boost/asio/system_executor.hpp>
#include <map>
#include <span>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/migrations.h"
#include "freehold/database/postgres/postgres_database.h"

namespace order {
std::span<const freehold::Migration> migrations();
}
namespace product {
std::span<const freehold::Migration> migrations();
}

namespace bench {

namespace {

using freehold::PostgresStatement;

constexpr std::chrono::seconds connected_within{5};

// The tables, as the service makes them; what made them has ended when this returns.
std::string with_tables(const std::string& url, const std::string& service,
                        std::span<const freehold::Migration> migrations) {
  const auto made = freehold::PostgresDatabase::open(
      {.url = url, .executor = boost::asio::system_executor{}, .service = service});
  FREEHOLD_ASSERT(made.has_value(), made.error().text().c_str());
  const auto migrated = freehold::migrate(**made, migrations);
  FREEHOLD_ASSERT(migrated.has_value(), migrated.error().text().c_str());
  (*made)->stop();
  return url;
}

std::int64_t number(PostgresStatement& query) {
  FREEHOLD_ASSERT(query.next(), "a select of one value has a row");
  const std::int64_t value = query.integer(0);
  query.reset();
  return value;
}

void send(PostgresStatement& statement) {
  statement.send();
  statement.reset();
}

}  // namespace

PostgresRows::PostgresRows(const std::string& url, const std::string& service,
                           std::span<const freehold::Migration> migrations)
    : connection_({.url = with_tables(url, service, migrations), .name = "ceiling"},
                  freehold::deadline_in(connected_within)) {
  position_ = number(statement("select position from freehold_head where partition = 0"));
  send(
      statement("insert into freehold_cursor (consumer, partition, position, stamp, log_id) "
                "values ('other', 0, 0, 0, '') on conflict do nothing"));
  connection_.wait();
}

void PostgresRows::begin(bool moves_cursor) {
  connection_.begin_transaction(std::nullopt);
  if (!moves_cursor) return;
  PostgresStatement& cursor = statement(
      "update freehold_cursor set position = position + 1, stamp = $1 "
      "where consumer = 'other' and partition = 0");
  cursor.integer(1, stamp_);
  send(cursor);
}

void PostgresRows::commit(const std::vector<Event>& events) {
  if (!events.empty()) {
    const std::int64_t appended = now_us();
    const auto count = static_cast<std::int64_t>(events.size());
    std::vector<std::int64_t> places;
    Texts types, recipients, jsons;
    for (const Event& event : events) {
      places.push_back(++position_);
      types.emplace_back(event.type);
      recipients.emplace_back(event.recipient);
      jsons.emplace_back(event.json);
    }
    PostgresStatement& insert = statement(
        "insert into freehold_event (place, stamp, appended, type, recipient, json) "
        "select place, $1, $2, type, recipient, json from unnest($3, $4, $5, $6) "
        "as n (place, type, recipient, json)");
    insert.integer(1, stamp_);
    insert.integer(2, appended);
    insert.integers(3, places);
    insert.texts(4, types);
    insert.texts(5, recipients);
    insert.texts(6, jsons);
    send(insert);
    PostgresStatement& head = statement(
        "update freehold_head set position = position + $1, stamp = $2, appended = $3 "
        "where partition = 0");
    head.integer(1, count);
    head.integer(2, stamp_);
    head.integer(3, appended);
    send(head);
    stamp_ =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(stamp_) * 0x9e3779b97f4a7c15U | 1);
  }
  connection_.send_command("commit");
  connection_.wait();
  connection_.end_transaction();
}

std::vector<std::string> PostgresRows::keys_of(const Orders& orders) {
  std::vector<std::string> keys;
  keys.reserve(orders.size());
  for (const BareOrder& order : orders) keys.emplace_back(order.id.begin(), order.id.end());
  return keys;
}

PostgresRows::Texts PostgresRows::views_of(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

PostgresOrderRows::PostgresOrderRows(const std::string& url)
    : PostgresRows(url, "order", order::migrations()) {}

void PostgresOrderRows::write(const Orders& confirmed, const Orders& accepted) {
  std::vector<Event> events;
  begin(!confirmed.empty());
  if (!confirmed.empty()) confirm(confirmed, events);
  if (!accepted.empty()) accept(accepted, events);
  commit(events);
}

void PostgresOrderRows::accept(const Orders& orders, std::vector<Event>& events) {
  const std::int64_t now = now_us();
  std::vector<std::string> sagas, inputs, names, locations, bodies;
  for (const BareOrder& order : orders) {
    sagas.push_back(saga_id(order));
    inputs.push_back(saga_input(order));
    names.push_back(std::string{answer_scope} + "\n" + order.id_text.substr(0, 32));
    locations.push_back(answer_location(order));
    bodies.push_back(answer_body(order));
    events.push_back({reserve_type, "product", reserve_event(order)});
  }
  PostgresStatement& insert_order = statement(
      "insert into customer_order (id, customer_id, status, lines, total_amount_minor, "
      "total_currency, delivery_address, placed_at) "
      "select id, $2, 'pending', $3, 5123, 'EUR', '\"1 Long Lane\"', $4 from unnest($1) as id");
  const std::vector<std::string> ids = keys_of(orders);
  insert_order.blobs(1, views_of(ids));
  insert_order.blob(2, customer);
  insert_order.text(3, priced_lines());
  insert_order.integer(4, now);
  send(insert_order);
  PostgresStatement& insert_saga = statement(
      "insert into freehold_saga (id, type, input, status, why, started, due, journal, ended) "
      "select id, 'place_order.v1', input, 'running', '', $3, $4, $5, 0 "
      "from unnest($1, $2) as n (id, input)");
  insert_saga.texts(1, views_of(sagas));
  insert_saga.texts(2, views_of(inputs));
  insert_saga.integer(3, now);
  insert_saga.integer(4, now + day_us);
  insert_saga.text(5, journal_begun());
  send(insert_saga);
  PostgresStatement& insert_answer = statement(
      "insert into freehold_answer (digest, slot, at, request_hash, status, location, body) "
      "select substring(sha256(convert_to(name, 'UTF8')) from 1 for 16), $4, $5, $6, 202, "
      "location, body from unnest($1, $2, $3) as n (name, location, body)");
  insert_answer.texts(1, views_of(names));
  insert_answer.texts(2, views_of(locations));
  insert_answer.texts(3, views_of(bodies));
  insert_answer.integer(4, 0);
  insert_answer.integer(5, now);
  insert_answer.integer(6, request_hash);
  send(insert_answer);
}

void PostgresOrderRows::confirm(const Orders& orders, std::vector<Event>& events) {
  const std::int64_t now = now_us();
  std::vector<std::string> sagas, journals;
  for (const BareOrder& order : orders) {
    sagas.push_back(saga_id(order));
    journals.push_back(journal_ended(order));
    events.push_back({sell_type, "product", sell_event(order)});
  }
  PostgresStatement& confirm_orders = statement(
      "update customer_order set status = 'confirmed', settled_at = $2 "
      "from unnest($1) as n (key) where id = key");
  const std::vector<std::string> ids = keys_of(orders);
  confirm_orders.blobs(1, views_of(ids));
  confirm_orders.integer(2, now);
  send(confirm_orders);
  PostgresStatement& end_sagas = statement(
      "update freehold_saga set status = 'ended', due = 0, journal = n.steps, ended = $3 "
      "from unnest($1, $2) as n (key, steps) where id = n.key");
  end_sagas.texts(1, views_of(sagas));
  end_sagas.texts(2, views_of(journals));
  end_sagas.integer(3, now);
  send(end_sagas);
}

PostgresProductRows::PostgresProductRows(const std::string& url, std::size_t products)
    : PostgresRows(url, "product", product::migrations()) {
  constexpr std::size_t at_once = 10'000;
  for (std::size_t first = 0; first < products; first += at_once) {
    std::vector<std::string> ids;
    for (std::size_t i = first; i < std::min(products, first + at_once); ++i) {
      const freehold::IdBytes id = product_id(i);
      ids.emplace_back(id.begin(), id.end());
    }
    begin(false);
    PostgresStatement& insert = statement(
        "insert into stock (product_id, on_hand) select id, 1000000000 from unnest($1) as id "
        "on conflict do nothing");
    insert.blobs(1, views_of(ids));
    send(insert);
    commit({});
  }
}

void PostgresProductRows::write(const Orders& sold, const Orders& reserved) {
  std::vector<Event> events;
  begin(true);
  if (!sold.empty()) {
    change_stock(
        "update stock set on_hand = on_hand - units, reserved = reserved - units, "
        "sold = sold + units from unnest($1, $2) as n (key, units) where product_id = key",
        sold);
    PostgresStatement& set_sold = statement(
        "update reservation set state = 'sold' from unnest($1) as n (key) where id = key");
    const std::vector<std::string> ids = keys_of(sold);
    set_sold.blobs(1, views_of(ids));
    send(set_sold);
  }
  if (!reserved.empty()) {
    change_stock(
        "update stock set reserved = reserved + units from unnest($1, $2) as n (key, units) "
        "where product_id = key and on_hand - reserved >= units",
        reserved);
    PostgresStatement& insert = statement(
        "insert into reservation (id, state, lines) select id, 'held', $2 from unnest($1) as id");
    const std::vector<std::string> ids = keys_of(reserved);
    insert.blobs(1, views_of(ids));
    insert.text(2, wanted_lines());
    send(insert);
    for (const BareOrder& order : reserved)
      events.push_back({reply_type, "order", reply_event(order)});
  }
  commit(events);
}

// The units of one product summed, in the order of products.
void PostgresProductRows::change_stock(std::string_view text, const Orders& orders) {
  std::map<std::size_t, std::int64_t> units_of;
  for (const BareOrder& order : orders) ++units_of[order.product];
  std::vector<std::string> ids;
  std::vector<std::int64_t> units;
  for (const auto& [product, count] : units_of) {
    const freehold::IdBytes id = product_id(product);
    ids.emplace_back(id.begin(), id.end());
    units.push_back(count);
  }
  PostgresStatement& change = statement(text);
  change.blobs(1, views_of(ids));
  change.integers(2, units);
  send(change);
}

}  // namespace bench
