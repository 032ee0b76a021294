// SPDX-License-Identifier: Apache-2.0
#include "bench/shopper.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "freehold/base/errors.h"

namespace bench {

using freehold::Deadline, freehold::Error, freehold::Result;

namespace {

constexpr std::size_t placed_kept = 64;  // orders of each customer whose status may be asked for
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

void add(std::string& text, std::initializer_list<std::string_view> pieces) {
  for (const std::string_view piece : pieces) text += piece;
}

void add_number(std::string& text, std::size_t number) {
  std::array<char, 20> digits;
  text.append(digits.data(), std::to_chars(digits.begin(), digits.end(), number).ptr);
}

void add_price(std::string& text, std::size_t number) {
  text += R"("price":{"amount_minor":)";
  add_number(text, 100 + number % price_max_minor);
  text += R"(,"currency":"EUR"})";
}

// The text of the first member that begins like this: `"name":"`. Empty: there is none.
std::string_view member(std::string_view json, std::string_view opening) {
  const std::size_t found = json.find(opening);
  if (found == std::string_view::npos) return {};
  json.remove_prefix(found + opening.size());
  return json.substr(0, json.find('"'));
}

std::string said(const Answer& answer) {
  return (std::to_string(answer.status) + " ").append(answer.body);
}

Outcome outcome_of(const Shopper::Answered& answered) {
  if (!answered) return {.end = Outcome::End::unanswered, .said = answered.error().text()};
  const Answer& answer = *answered;
  if (answer.status >= 200 && answer.status < 300) return {.end = Outcome::End::answered};
  const bool refused = (answer.status >= 400 && answer.status < 500) || answer.status == 503;
  return {.end = refused ? Outcome::End::refused : Outcome::End::failed, .said = said(answer)};
}

// Of something new, which has an id.
Outcome made(const Answer& answer) {
  const std::string_view id = member(answer.body, R"("id":")");
  if (id.empty()) return {.end = Outcome::End::failed, .said = "without an id: " + said(answer)};
  return {.end = Outcome::End::answered, .made = id};
}

}  // namespace

std::string product_name(std::size_t number) {
  return std::string{kinds[number % kinds.size()]} + " " +
         std::string{things[number / kinds.size() % things.size()]} + " " + std::to_string(number);
}

Shopper::Shopper(const Plan& plan, const std::vector<std::string>& products,
                 const Weighted& popularity, freehold::Random& random, Connections& connections)
    : plan_(plan),
      products_(products),
      popularity_(popularity),
      random_(random),
      connections_(connections),
      placed_(std::max<std::size_t>(plan.customers.size(), 1)),
      next_placed_(placed_.size()) {}

Result<> Shopper::find_services() {
  FREEHOLD_TRY(find(product_, plan_.product_address));
  FREEHOLD_TRY(find(order_, plan_.order_address));
  FREEHOLD_TRY(find(user_, plan_.user_address));
  FREEHOLD_TRY(find(empty_, plan_.empty_address));
  for (const Share& share : plan_.mix)
    if (service_of(share.action).empty())
      return Error{freehold::errors::malformed, "nobody to ask has an address"};
  return {};
}

Shopper::Service& Shopper::service_of(Action action) {
  switch (action) {
    case Action::order:
    case Action::order_status:
    case Action::own_orders:
      return order_;
    case Action::product:
    case Action::product_page:
    case Action::search:
    case Action::price_update:
    case Action::product_replacement:
    case Action::new_product:
      return product_;
    case Action::log_in:
      return user_;
    case Action::empty:
      return empty_;
  }
  return empty_;
}

Result<> Shopper::find(Service& service, std::string_view addresses) {
  while (!addresses.empty()) {
    const std::string_view host = addresses.substr(0, addresses.find(','));
    FREEHOLD_TRY(const std::size_t address, connections_.add(host));
    service.push_back({address, std::string{host}});
    addresses.remove_prefix(std::min(host.size() + 1, addresses.size()));
  }
  return {};
}

void Shopper::begin(Errand& errand, std::size_t request, Deadline now) {
  choose_instance(errand.action);
  switch (errand.action) {
    case Action::order:
      place_order(errand.client);
      break;
    case Action::order_status:
      order_status(errand.client);
      break;
    case Action::own_orders:
      get({"/api/orders?limit=20"}, token_of(errand.client));
      break;
    case Action::product:
      get({"/api/products/", products_[a_product()]});
      break;
    case Action::product_page:
      get({"/api/products?limit=20&after=", products_[a_product()]});
      break;
    case Action::search: {
      const std::string_view kind = kinds[random_.below(kinds.size())];
      const std::string_view thing = things[random_.below(things.size())];
      get({"/api/products?limit=20&search=", kind, "%20", thing});
      break;
    }
    case Action::price_update:
    case Action::product_replacement:
      errand.product = a_product();
      get({"/api/products/", products_[errand.product]});
      break;
    case Action::log_in:
      log_in(errand.number);
      break;
    case Action::new_product:
      make_product(errand.number);
      break;
    case Action::empty:
      get({plan_.empty_target});
      break;
  }
  connections_.ask(instance_->address, request_, request, now);
}

std::optional<Outcome> Shopper::go_on(Errand& errand, const Answered& answered, std::size_t request,
                                      Deadline now) {
  Outcome outcome = outcome_of(answered);
  if (outcome.end != Outcome::End::answered) return outcome;
  const Answer& answer = *answered;
  switch (errand.action) {
    case Action::order:
      return placed(errand, answer);
    case Action::new_product:
      return made(answer);
    case Action::price_update:
    case Action::product_replacement:
      if (std::exchange(errand.has_seen_product, true)) return outcome;
      if (answer.etag.empty())
        return Outcome{.end = Outcome::End::failed, .said = "without an ETag: " + said(answer)};
      choose_instance(errand.action);
      change_product(errand, answer.etag);
      connections_.ask(instance_->address, request_, request, now);
      return std::nullopt;
    default:
      return outcome;
  }
}

std::size_t Shopper::a_product() {
  return plan_.one_product ? 0 : popularity_.draw(random_);
}

const std::string& Shopper::token_of(std::size_t client) const {
  return plan_.customers[client % plan_.customers.size()];
}

std::array<char, 32> Shopper::a_key() {
  std::array<char, 32> text{};
  text.fill('0');
  std::to_chars(text.data(), text.data() + 16, random_.bits(), 16);
  std::to_chars(text.data() + 16, text.data() + 32, random_.bits(), 16);
  return text;
}

void Shopper::choose_instance(Action action) {
  const Service& service = service_of(action);
  instance_ = &service[asked_++ % service.size()];
}

void Shopper::begin_head(std::string_view method, Pieces target) {
  request_.assign(method).append(" ");
  add(request_, target);
  add(request_, {" HTTP/1.1\r\nHost: ", instance_->host, "\r\n"});
}

void Shopper::get(Pieces target, std::string_view token) {
  begin_head("GET", target);
  if (!token.empty()) add(request_, {"Authorization: Bearer ", token, "\r\n"});
  request_ += "\r\n";
}

// `headers` have their line ends.
void Shopper::with_body(std::string_view method, Pieces target, std::string_view token,
                        Pieces headers) {
  begin_head(method, target);
  request_ += "Content-Type: application/json\r\n";
  if (!token.empty()) add(request_, {"Authorization: Bearer ", token, "\r\n"});
  add(request_, headers);
  request_ += "Content-Length: ";
  add_number(request_, body_.size());
  add(request_, {"\r\n\r\n", body_});
}

void Shopper::place_order(std::size_t client) {
  const auto spread = static_cast<std::uint64_t>(plan_.lines_max - plan_.lines_min);
  const std::uint64_t lines =
      static_cast<std::uint64_t>(plan_.lines_min) + (spread > 0 ? random_.below(spread + 1) : 0);
  body_ = R"({"lines":[)";
  for (std::uint64_t i = 0; i < lines; ++i)
    add(body_,
        {i > 0 ? "," : "", R"({"product_id":")", products_[a_product()], R"(","quantity":1})"});
  body_ += R"(],"delivery_address":"1 Long Lane"})";
  const auto key = a_key();
  with_body("POST", {"/api/orders"}, token_of(client),
            {"Prefer: wait=15\r\nIdempotency-Key: ", {key.data(), key.size()}, "\r\n"});
}

Outcome Shopper::placed(const Errand& errand, const Answer& answer) {
  Outcome outcome = made(answer);
  if (outcome.end != Outcome::End::answered) return outcome;
  const std::string_view status = member(answer.body, R"("status":")");
  if (status == "confirmed") outcome.end = Outcome::End::confirmed;
  if (status == "rejected") outcome.end = Outcome::End::rejected;
  const std::size_t customer = errand.client % placed_.size();
  auto& ring = placed_[customer];
  if (ring.size() < placed_kept)
    ring.emplace_back(outcome.made);
  else
    ring[next_placed_[customer]++ % placed_kept] = outcome.made;
  return outcome;
}

// A thread that has placed no order of this customer yet looks at the customer's newest instead.
void Shopper::order_status(std::size_t client) {
  const auto& ring = placed_[client % placed_.size()];
  if (ring.empty())
    get({"/api/orders?limit=1"}, token_of(client));
  else
    get({"/api/orders/", ring[random_.below(ring.size())]}, token_of(client));
}

// Somebody else may have changed the product since it was read: then this is refused (412).
void Shopper::change_product(const Errand& errand, std::string_view tag) {
  const std::size_t number = random_.below(price_max_minor);
  body_ = "{";
  add_price(body_, number);
  if (errand.action == Action::product_replacement)
    add(body_,
        {R"(,"name":")", product_name(number), R"(","description":"Replaced by another one.")"});
  body_ += "}";
  with_body("PATCH", {"/api/products/", products_[errand.product]}, plan_.admin,
            {"If-Match: ", tag, "\r\n"});
}

void Shopper::make_product(std::size_t number) {
  const auto key = a_key();
  body_.clear();
  add(body_, {R"({"sku":"BENCH-)",
              {key.data(), key.size()},
              R"(","name":")",
              product_name(number),
              R"(","stock":)"});
  add_number(body_, static_cast<std::size_t>(plan_.stock));
  body_ += ",";
  add_price(body_, number);
  body_ += "}";
  with_body("POST", {"/api/products"}, plan_.admin, {});
}

void Shopper::log_in(std::size_t number) {
  const Account& account = plan_.accounts[number % plan_.accounts.size()];
  body_.clear();
  add(body_, {R"({"email":")", account.email, R"(","password":")", account.password, R"("})"});
  with_body("POST", {"/api/sessions"}, {}, {});
}

}  // namespace bench
