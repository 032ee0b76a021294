// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling_rows.h"

#include <algorithm>
#include <span>

namespace order {
std::span<const freehold::Migration> migrations();
}
namespace product {
std::span<const freehold::Migration> migrations();
}

namespace bench {
namespace {

constexpr std::string_view product_text = "01a20511-cdc4-7168-8a61-91adce21ced6";
constexpr std::string_view time_text = "2026-11-22T21:03:02.618829Z";
constexpr std::array<std::uint8_t, 16> customer{1, 0xa2, 5, 0x11, 0xcc, 0xa2, 0x70, 0xb8};
constexpr std::int64_t request_hash = 6'628'197'158'417'860'460;
constexpr std::string_view hash_text = "6628197158417860460";

std::int64_t microseconds() {
  return freehold::now().time_since_epoch().count();
}

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string saga_id(const BareOrder& order) {
  return joined({"place_order.v1/", order.id_text});
}

std::string event_text(std::string_view source, std::string_view type, const BareOrder& order,
                       std::string_view recipient, std::string_view rest) {
  return joined({R"("source":")", source, R"(","type":")", type, R"(","subject":")", order.id_text,
                 R"(","partitionkey":")", order.id_text, R"(","time":")", time_text,
                 R"(","recipient":")", recipient, R"(",)", rest});
}

std::string wanted_lines() {
  return joined({R"([{"product_id":")", product_text, R"(","quantity":1}])"});
}

std::string priced_lines() {
  return joined({R"([{"product_id":")", product_text,
                 R"(","name":"brass anvil 12345","quantity":1,"unit_price_minor":5123,)",
                 R"("line_total_minor":5123,"product_version":1}])"});
}

std::string step_text(std::string_view name, std::string_view hash, std::string_view state,
                      std::string_view outcome = "null") {
  return joined({R"({"name":")", name, R"(","request_hash":)", hash, R"(,"state":")", state,
                 R"(","outcome":)", outcome, "}"});
}

std::string answer_text(const BareOrder& order) {
  return joined({R"({"id":")", order.id_text, R"(","customer_id":")", product_text,
                 R"(","status":"pending","reason":null,"lines":)", priced_lines(),
                 R"(,"total":{"amount_minor":5123,"currency":"EUR"},"placed_at":")", time_text,
                 R"(","history":[{"status":"pending","at":")", time_text, R"("}]})"});
}

}  // namespace

freehold::IdBytes product_id(std::size_t number) {
  freehold::IdBytes id{1, 0xa2, 5, 0x11};
  for (int byte = 0; byte < 8; ++byte)
    id.at(static_cast<std::size_t>(11 - byte)) = static_cast<std::uint8_t>(number >> (8 * byte));
  return id;
}

OrderRows::OrderRows(const std::filesystem::path& directory)
    : database_(directory, "order", order::migrations()),
      insert_order_(database_.connection(),
                    "insert into customer_order (id, customer_id, status, lines, "
                    "total_amount_minor, total_currency, delivery_address, placed_at) "
                    "values (?1, ?2, 'pending', ?3, 5123, 'EUR', '\"1 Long Lane\"', ?4)"),
      insert_saga_(database_.connection(),
                   "insert into freehold_saga (id, type, input, status, why, started, due, "
                   "journal, ended) "
                   "values (?1, 'place_order.v1', ?2, 'running', '', ?3, ?4, ?5, 0)"),
      insert_answer_(database_.connection(),
                     "insert into freehold_answer (sequence, at, scope, key, request_hash, status, "
                     "location, body) values (?1, ?2, ?3, ?4, ?5, 202, ?6, ?7)"),
      confirm_order_(database_.connection(),
                     "update customer_order set status = 'confirmed', settled_at = ?2 "
                     "where id = ?1"),
      end_saga_(database_.connection(),
                "update freehold_saga set status = 'ended', due = 0, journal = ?2, ended = ?3 "
                "where id = ?1") {
  newest_answer_ =
      database_.connection().number("select coalesce(max(sequence), 0) from freehold_answer");
}

void OrderRows::accept(const BareOrder& order) {
  const std::string saga = saga_id(order);
  const std::int64_t now = microseconds();
  const std::int64_t in_a_day = now + 86'400'000'000;
  insert_order_.run(order.id, customer, priced_lines(), now);
  insert_saga_.run(
      saga, joined({R"({"id":")", order.id_text, R"(","lines":)", wanted_lines(), "}"}), now,
      in_a_day, "[" + step_text("request product.reserve_stock.v1", hash_text, "waiting") + "]");
  newest_answer_ = std::max(newest_answer_ + 1, now);
  insert_answer_.run(newest_answer_, now,
                     std::string_view{"user 01a20511-cca2-70b8-8296-5e45566dad22 POST /api/orders"},
                     std::string_view{order.id_text}.substr(0, 32), request_hash,
                     joined({"/api/orders/", order.id_text}), answer_text(order));
  constexpr std::string_view type = "product.reserve_stock.v1";
  database_.append(
      type, "product",
      event_text(
          "order", type, order, "product",
          joined({R"("requestid":")", saga, R"(/1","datacontenttype":"application/json","data":)",
                  R"({"reservation":")", order.id_text, R"(","lines":)", wanted_lines(), "}"})));
}

void OrderRows::confirm(const BareOrder& order) {
  const std::string saga = saga_id(order);
  const std::int64_t now = microseconds();
  confirm_order_.run(order.id, now);
  end_saga_.run(saga,
                joined({"[",
                        step_text("request product.reserve_stock.v1", hash_text, "done",
                                  joined({R"({"reservation":")", order.id_text, R"("})"})),
                        ",", step_text("run confirm", "0", "done"), ",",
                        step_text("tell product.sell_stock.v1", hash_text, "done"), "]"}),
                now);
  constexpr std::string_view type = "product.sell_stock.v1";
  database_.append(type, "product",
                   event_text("order", type, order, "product",
                              joined({R"("datacontenttype":"application/json","data":)",
                                      R"({"reservation":")", order.id_text, R"("})"})));
}

ProductRows::ProductRows(const std::filesystem::path& directory, std::size_t products)
    : database_(directory, "product", product::migrations()),
      reserve_units_(database_.connection(),
                     "update stock set reserved = reserved + 1 "
                     "where product_id = ?1 and on_hand - reserved >= 1"),
      insert_reservation_(database_.connection(),
                          "insert into reservation (id, state, lines) values (?1, 'held', ?2)"),
      sell_units_(database_.connection(),
                  "update stock set on_hand = on_hand - 1, reserved = reserved - 1, "
                  "sold = sold + 1 where product_id = ?1"),
      set_reservation_(database_.connection(),
                       "update reservation set state = 'sold' where id = ?1") {
  BareStatement insert_stock{database_.connection(),
                             "insert into stock (product_id, on_hand) values (?1, 1000000000) "
                             "on conflict do nothing"};
  database_.begin();
  for (std::size_t number = 0; number < products; ++number) insert_stock.run(product_id(number));
  database_.commit();
}

void ProductRows::reserve(const BareOrder& order) {
  reserve_units_.run(product_id(order.product));
  insert_reservation_.run(order.id, wanted_lines());
  constexpr std::string_view type = "freehold.reply.v1";
  database_.append(
      type, "order",
      event_text("product", type, order, "order",
                 joined({R"("inreplyto":"place_order.v1/)", order.id_text,
                         R"(/1","datacontenttype":"application/json","data":{"status":"done",)",
                         R"("command":"product.reserve_stock.v1","reply":{"reservation":")",
                         order.id_text, R"("}})"})));
}

void ProductRows::sell(const BareOrder& order) {
  sell_units_.run(product_id(order.product));
  set_reservation_.run(order.id);
}

}  // namespace bench
