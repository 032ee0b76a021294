// SPDX-License-Identifier: Apache-2.0
#include "bench/order_texts.h"

#include <initializer_list>

namespace bench {
namespace {

constexpr std::string_view product_text = "01a20511-cdc4-7168-8a61-91adce21ced6";
constexpr std::string_view time_text = "2026-11-22T21:03:02.618829Z";
constexpr std::string_view hash_text = "6628197158417860460";

std::string joined(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string event_text(std::string_view source, std::string_view type, const BareOrder& order,
                       std::string_view recipient, std::string_view rest) {
  return joined({R"("source":")", source, R"(","type":")", type, R"(","subject":")", order.id_text,
                 R"(","partitionkey":")", order.id_text, R"(","time":")", time_text,
                 R"(","recipient":")", recipient, R"(",)", rest});
}

std::string step_text(std::string_view name, std::string_view hash, std::string_view state,
                      std::string_view outcome = "null") {
  return joined({R"({"name":")", name, R"(","request_hash":)", hash, R"(,"state":")", state,
                 R"(","outcome":)", outcome, "}"});
}

}  // namespace

std::int64_t now_us() {
  return freehold::now().time_since_epoch().count();
}

freehold::IdBytes product_id(std::size_t number) {
  freehold::IdBytes id{1, 0xa2, 5, 0x11};
  for (int byte = 0; byte < 8; ++byte)
    id.at(static_cast<std::size_t>(11 - byte)) = static_cast<std::uint8_t>(number >> (8 * byte));
  return id;
}

std::string wanted_lines() {
  return joined({R"([{"product_id":")", product_text, R"(","quantity":1}])"});
}

std::string priced_lines() {
  return joined({R"([{"product_id":")", product_text,
                 R"(","name":"brass anvil 12345","quantity":1,"unit_price_minor":5123,)",
                 R"("line_total_minor":5123,"product_version":1}])"});
}

std::string answer_body(const BareOrder& order) {
  return joined({R"({"id":")", order.id_text, R"(","customer_id":")", product_text,
                 R"(","status":"pending","reason":null,"lines":)", priced_lines(),
                 R"(,"total":{"amount_minor":5123,"currency":"EUR"},"placed_at":")", time_text,
                 R"(","history":[{"status":"pending","at":")", time_text, R"("}]})"});
}

std::string answer_location(const BareOrder& order) {
  return joined({"/api/orders/", order.id_text});
}

std::string saga_id(const BareOrder& order) {
  return joined({"place_order.v1/", order.id_text});
}

std::string saga_input(const BareOrder& order) {
  return joined({R"({"id":")", order.id_text, R"(","lines":)", wanted_lines(), "}"});
}

std::string journal_begun() {
  return "[" + step_text("request product.reserve_stock.v1", hash_text, "waiting") + "]";
}

std::string journal_ended(const BareOrder& order) {
  return joined({"[",
                 step_text("request product.reserve_stock.v1", hash_text, "done",
                           joined({R"({"reservation":")", order.id_text, R"("})"})),
                 ",", step_text("run confirm", "0", "done"), ",",
                 step_text("tell product.sell_stock.v1", hash_text, "done"), "]"});
}

std::string reserve_event(const BareOrder& order) {
  return event_text(
      "order", reserve_type, order, "product",
      joined({R"("requestid":")", saga_id(order),
              R"(/1","datacontenttype":"application/json","data":)", R"({"reservation":")",
              order.id_text, R"(","lines":)", wanted_lines(), "}"}));
}

std::string sell_event(const BareOrder& order) {
  return event_text("order", sell_type, order, "product",
                    joined({R"("datacontenttype":"application/json","data":)",
                            R"({"reservation":")", order.id_text, R"("})"}));
}

std::string reply_event(const BareOrder& order) {
  return event_text("product", reply_type, order, "order",
                    joined({R"("inreplyto":"place_order.v1/)", order.id_text,
                            R"(/1","datacontenttype":"application/json","data":{"status":"done",)",
                            R"("command":"product.reserve_stock.v1","reply":{"reservation":")",
                            order.id_text, R"("}})"}));
}

}  // namespace bench
