// SPDX-License-Identifier: Apache-2.0
#include "bench/shopper.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "freehold/base/clock.h"

namespace bench {

using freehold::Task;
namespace http = freehold::http;

namespace {

constexpr std::chrono::seconds answered_within{20};
constexpr std::size_t placed_kept = 64;  // orders of each customer whose status may be asked for
constexpr std::string_view prefer_settled = "wait=15";
constexpr std::int64_t price_max_minor = 10'000;

constexpr std::array<std::string_view, 32> kinds{
    "amber", "brass", "calm",  "dark",  "early", "faint", "glossy", "heavy",
    "ivory", "jade",  "keen",  "light", "matte", "noble", "olive",  "pale",
    "quiet", "rough", "sharp", "thick", "ultra", "vivid", "warm",   "young",
    "azure", "blunt", "coral", "dense", "empty", "fresh", "grand",  "hollow"};
constexpr std::array<std::string_view, 32> things{
    "anvil",  "basket", "candle", "drawer", "easel",  "funnel", "goblet", "hammer",
    "inkpot", "jacket", "kettle", "ladder", "mirror", "needle", "oven",   "pillow",
    "quilt",  "ruler",  "saddle", "teapot", "urn",    "vase",   "wallet", "yarn",
    "apron",  "bucket", "cradle", "dagger", "eyelet", "fender", "garter", "hinge"};

std::string bearer(std::string_view token) {
  return std::string{"Bearer "}.append(token);
}

http::Headers with_body(std::string_view token) {
  http::Headers headers{{"Content-Type", "application/json"}};
  if (!token.empty()) headers.add("Authorization", bearer(token));
  return headers;
}

// The text of the first member of that name; empty: it has none.
std::string_view member(std::string_view json, std::string_view name) {
  const std::string opening = '"' + std::string{name} + "\":\"";
  const std::size_t found = json.find(opening);
  if (found == std::string_view::npos) return {};
  json.remove_prefix(found + opening.size());
  return json.substr(0, json.find('"'));
}

Outcome outcome_of(freehold::Result<http::Response>&& answer) {
  if (!answer) return {.end = Outcome::End::unanswered, .said = answer.error().text()};
  const int status = answer->status;
  if (status >= 200 && status < 300) return {.end = Outcome::End::answered};
  const bool refused = (status >= 400 && status < 500) || status == 503;
  return {.end = refused ? Outcome::End::refused : Outcome::End::failed,
          .said = std::to_string(status) + " " + answer->body};
}

std::string price_text(std::size_t number) {
  return R"("price":{"amount_minor":)" + std::to_string(100 + number % price_max_minor) +
         R"(,"currency":"EUR"})";
}

}  // namespace

std::string product_name(std::size_t number) {
  return std::string{kinds[number % kinds.size()]} + " " +
         std::string{things[number / kinds.size() % things.size()]} + " " + std::to_string(number);
}

Shopper::Shopper(const Plan& plan, const std::vector<std::string>& products,
                 const Weighted& popularity, freehold::Random& random, http::Transport& transport)
    : plan_(plan),
      products_(products),
      popularity_(popularity),
      random_(random),
      transport_(transport),
      placed_(std::max<std::size_t>(plan.customers.size(), 1)),
      next_placed_(placed_.size()) {}

Task<Outcome> Shopper::act(Action action, std::size_t client, std::size_t number) {
  switch (action) {
    case Action::order:
      return place_order(client);
    case Action::order_status:
      return order_status(client);
    case Action::own_orders:
      return get(plan_.order_address, "/api/orders?limit=20", token_of(client));
    case Action::product:
      return get(plan_.product_address, "/api/products/" + a_product(), {});
    case Action::product_page:
      return get(plan_.product_address, "/api/products?limit=20&after=" + a_product(), {});
    case Action::search: {
      const std::string_view kind = kinds[random_.below(kinds.size())];
      const std::string_view thing = things[random_.below(things.size())];
      return get(
          plan_.product_address,
          std::string{"/api/products?limit=20&search="}.append(kind).append("%20").append(thing),
          {});
    }
    case Action::price_update:
      return change_product(false);
    case Action::product_replacement:
      return change_product(true);
    case Action::log_in:
      return log_in(number);
    case Action::new_product:
      return make_product(number);
    case Action::empty:
      return get(plan_.empty_address, plan_.empty_target, {});
  }
  return log_in(number);
}

const std::string& Shopper::a_product() {
  return products_[plan_.one_product ? 0 : popularity_.draw(random_)];
}

const std::string& Shopper::token_of(std::size_t client) const {
  return plan_.customers[client % plan_.customers.size()];
}

std::string Shopper::a_key() {
  std::array<char, 32> text{};
  text.fill('0');
  std::to_chars(text.data(), text.data() + 16, random_.bits(), 16);
  std::to_chars(text.data() + 16, text.data() + 32, random_.bits(), 16);
  return {text.data(), text.size()};
}

std::string Shopper::order_text() {
  const auto spread = static_cast<std::uint64_t>(plan_.lines_max - plan_.lines_min);
  const std::uint64_t lines =
      static_cast<std::uint64_t>(plan_.lines_min) + (spread > 0 ? random_.below(spread + 1) : 0);
  std::string text = R"({"lines":[)";
  for (std::uint64_t i = 0; i < lines; ++i) {
    if (i > 0) text += ',';
    text.append(R"({"product_id":")").append(a_product()).append(R"(","quantity":1})");
  }
  return text += R"(],"delivery_address":"1 Long Lane"})";
}

Task<Shopper::Answer> Shopper::ask(std::string addresses, Request request) {
  co_return co_await transport_.exchange(next_of(addresses), std::move(request),
                                         freehold::deadline_in(answered_within));
}

std::string Shopper::next_of(std::string_view addresses) {
  const auto more = static_cast<std::size_t>(std::ranges::count(addresses, ','));
  for (std::size_t skipped = asked_++ % (more + 1); skipped > 0; --skipped)
    addresses.remove_prefix(addresses.find(',') + 1);
  return std::string{addresses.substr(0, addresses.find(','))};
}

Task<Outcome> Shopper::get(std::string address, std::string target, std::string_view token) {
  http::Headers headers;
  if (!token.empty()) headers.add("Authorization", bearer(token));
  Request request{.target = std::move(target), .headers = std::move(headers)};
  co_return outcome_of(co_await ask(std::move(address), std::move(request)));
}

Task<Outcome> Shopper::place_order(std::size_t client) {
  http::Headers headers = with_body(token_of(client));
  headers.add("Prefer", prefer_settled);
  headers.add("Idempotency-Key", a_key());
  Request request{.method = http::Method::post,
                  .target = "/api/orders",
                  .headers = std::move(headers),
                  .body = order_text()};
  Answer answer = co_await ask(plan_.order_address, std::move(request));
  std::string made;
  auto end = Outcome::End::answered;
  if (answer) {
    made = member(answer->body, "id");
    const std::string_view status = member(answer->body, "status");
    if (status == "confirmed") end = Outcome::End::confirmed;
    if (status == "rejected") end = Outcome::End::rejected;
  }
  Outcome outcome = outcome_of(std::move(answer));
  if (outcome.end != Outcome::End::answered) co_return outcome;
  outcome.end = end;
  const std::size_t customer = client % placed_.size();
  auto& ring = placed_[customer];
  if (ring.size() < placed_kept)
    ring.push_back(made);
  else
    ring[next_placed_[customer]++ % placed_kept] = made;
  outcome.made = std::move(made);
  co_return outcome;
}

// A thread that has placed no order of this customer yet looks at the customer's newest instead.
Task<Outcome> Shopper::order_status(std::size_t client) {
  const auto& ring = placed_[client % placed_.size()];
  std::string target = "/api/orders?limit=1";
  if (!ring.empty()) target = "/api/orders/" + ring[random_.below(ring.size())];
  co_return co_await get(plan_.order_address, std::move(target), token_of(client));
}

// Somebody else may change the product between the two requests: then this one is refused (412).
Task<Outcome> Shopper::change_product(bool whole) {
  const std::string target = "/api/products/" + a_product();
  Answer seen = co_await ask(plan_.product_address, {.target = target});
  const auto tag = seen ? seen->headers.find("ETag") : std::nullopt;
  if (!tag) co_return outcome_of(std::move(seen));
  http::Headers headers = with_body(plan_.admin);
  headers.add("If-Match", *tag);
  const std::size_t number = random_.below(price_max_minor);
  std::string body = "{" + price_text(number);
  if (whole)
    body += R"(,"name":")" + product_name(number) + R"(","description":"Replaced by another one.")";
  Request request{.method = http::Method::patch,
                  .target = target,
                  .headers = std::move(headers),
                  .body = body + "}"};
  co_return outcome_of(co_await ask(plan_.product_address, std::move(request)));
}

Task<Outcome> Shopper::make_product(std::size_t number) {
  Request request{.method = http::Method::post,
                  .target = "/api/products",
                  .headers = with_body(plan_.admin),
                  .body = R"({"sku":"BENCH-)" + a_key() + R"(","name":")" + product_name(number) +
                          R"(","stock":)" + std::to_string(plan_.stock) + "," + price_text(number) +
                          "}"};
  Answer answer = co_await ask(plan_.product_address, std::move(request));
  std::string made{answer ? member(answer->body, "id") : std::string_view{}};
  Outcome outcome = outcome_of(std::move(answer));
  if (outcome.end == Outcome::End::answered) outcome.made = std::move(made);
  co_return outcome;
}

Task<Outcome> Shopper::log_in(std::size_t number) {
  const Account& account = plan_.accounts[number % plan_.accounts.size()];
  Request request{
      .method = http::Method::post,
      .target = "/api/sessions",
      .headers = with_body({}),
      .body = R"({"email":")" + account.email + R"(","password":")" + account.password + R"("})"};
  co_return outcome_of(co_await ask(plan_.user_address, std::move(request)));
}

}  // namespace bench
