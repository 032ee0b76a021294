// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling_rows.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

namespace order {
std::span<const freehold::Migration> migrations();
}
namespace product {
std::span<const freehold::Migration> migrations();
}

namespace bench {

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

void OrderRows::write(const Orders& confirmed, const Orders& accepted) {
  database_.begin();
  if (!confirmed.empty()) database_.move_cursor();
  for (const BareOrder& order : confirmed) confirm(order);
  for (const BareOrder& order : accepted) accept(order);
  database_.seal();
  database_.commit();
}

void OrderRows::accept(const BareOrder& order) {
  const std::string saga = saga_id(order);
  const std::int64_t now = now_us();
  insert_order_.run(order.id, customer, priced_lines(), now);
  insert_saga_.run(saga, saga_input(order), now, now + day_us, journal_begun());
  newest_answer_ = std::max(newest_answer_ + 1, now);
  insert_answer_.run(newest_answer_, now, answer_scope,
                     std::string_view{order.id_text}.substr(0, 32), request_hash,
                     answer_location(order), answer_body(order));
  database_.append(reserve_type, "product", reserve_event(order));
}

void OrderRows::confirm(const BareOrder& order) {
  const std::int64_t now = now_us();
  confirm_order_.run(order.id, now);
  end_saga_.run(saga_id(order), journal_ended(order), now);
  database_.append(sell_type, "product", sell_event(order));
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

void ProductRows::write(const Orders& sold, const Orders& reserved) {
  database_.begin();
  database_.move_cursor();
  for (const BareOrder& order : sold) sell(order);
  for (const BareOrder& order : reserved) reserve(order);
  database_.seal();
  database_.commit();
}

void ProductRows::reserve(const BareOrder& order) {
  reserve_units_.run(product_id(order.product));
  insert_reservation_.run(order.id, wanted_lines());
  database_.append(reply_type, "order", reply_event(order));
}

void ProductRows::sell(const BareOrder& order) {
  sell_units_.run(product_id(order.product));
  set_reservation_.run(order.id);
}

}  // namespace bench
