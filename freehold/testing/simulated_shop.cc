// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulated_shop.h"

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "freehold/base/errors.h"
#include "freehold/base/id.h"
#include "freehold/http/idempotent_call.h"
#include "freehold/saga/saga.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;

// --- Stock: its contract, its tables, what it does -----------------------------------------------

constexpr ErrorCode out_of_stock{"stock", "out_of_stock", Kind::refused, "There is not enough."};
constexpr ErrorCode given_up{"stock", "given_up", Kind::refused, "It was given back before."};

struct Answer {
  std::string order;
};
BOOST_DESCRIBE_STRUCT(Answer, (), (order))
struct Take {
  std::string order;
  int units;
  using Reply = Answer;
  static constexpr std::string_view type = "stock.take.v1";
  static constexpr auto subject = &Take::order;
};
BOOST_DESCRIBE_STRUCT(Take, (), (order, units))
struct GiveBack {
  std::string order;
  using Reply = Answer;
  static constexpr std::string_view type = "stock.give_back.v1";
  static constexpr auto subject = &GiveBack::order;
};
BOOST_DESCRIBE_STRUCT(GiveBack, (), (order))
struct Sell {
  std::string order;
  using Reply = Answer;
  static constexpr std::string_view type = "stock.sell.v1";
  static constexpr auto subject = &Sell::order;
};
BOOST_DESCRIBE_STRUCT(Sell, (), (order))

// `delivered` takes a row for each time that a command took effect, and refuses none.
constexpr Migration stock_migrations[] = {
    {1, "stock", MigrationKind::expand,
     "create table stock (on_hand integer not null check (on_hand >= 0));"
     "insert into stock (on_hand) values (400);"
     "create table held (order_id text primary key, units integer, state text);"
     "create table delivered (number integer primary key, order_id text, command text);"}};

struct Held {
  std::string order_id;
  std::int64_t units;
  std::string state;  // held, sold, given_back
};
BOOST_DESCRIBE_STRUCT(Held, (), (order_id, units, state))
struct Delivered {
  std::string order_id;
  std::string command;
  std::int64_t times;
};
BOOST_DESCRIBE_STRUCT(Delivered, (), (order_id, command, times))

constexpr sql::Query<std::int64_t()> on_hand{"select on_hand from stock"};
constexpr sql::Change<void(int)> take_units{
    "update stock set on_hand = on_hand - $1 where on_hand >= $1"};
constexpr sql::Change<void(std::string_view, int, std::string_view)> insert_held{
    "insert into held (order_id, units, state) values ($1, $2, $3)"};
constexpr sql::Query<Held(std::string_view)> held_by{
    "select order_id, units, state from held where order_id = $1"};
constexpr sql::Query<Held()> all_held{"select order_id, units, state from held order by order_id"};
constexpr sql::Change<void(std::string_view, std::string_view)> set_held{
    "update held set state = $2 where order_id = $1 and state = 'held'"};
constexpr sql::Change<void(std::string_view, std::string_view)> add_delivered{
    "insert into delivered (order_id, command) values ($1, $2)"};
constexpr sql::Query<Delivered()> all_delivered{
    "select order_id, command, count(*) as times from delivered group by order_id, command"};

Result<Answer> take(SqlTransaction& transaction, const Take& command) {
  if (const auto held = transaction.first(held_by, command.order)) {
    if (held->state == "given_back") return given_up;
    return Answer{command.order};
  }
  transaction.require(out_of_stock, take_units, command.units);
  transaction.run(insert_held, command.order, command.units, "held");
  transaction.run(add_delivered, command.order, "take");
  return Answer{command.order};
}

// What was never taken leaves a mark, which refuses to take it later.
Result<Answer> give_back(SqlTransaction& transaction, const GiveBack& command, const Delivery&) {
  transaction.run(add_delivered, command.order, "give_back");
  const auto held = transaction.first(held_by, command.order);
  if (!held) {
    transaction.run(insert_held, command.order, 0, "given_back");
  } else if (transaction.count(set_held, command.order, "given_back") == 1) {
    transaction.run(take_units, -static_cast<int>(held->units));
  }
  return Answer{command.order};
}

Result<Answer> sell(SqlTransaction& transaction, const Sell& command, const Delivery&) {
  transaction.run(add_delivered, command.order, "sell");
  if (transaction.count(set_held, command.order, "sold") != 1)
    throw EventFailed("nothing is held for " + command.order);
  return Answer{command.order};
}

// --- Shop ---------------------------------------------------------------------------------------

constexpr ErrorCode not_pending{"shop", "not_pending", Kind::conflict, "The order has ended."};
constexpr ErrorCode regretted{"shop", "regretted", Kind::refused, "The customer thought again."};

constexpr Migration shop_migrations[] = {
    {1, "shop", MigrationKind::expand,
     "create table orders (id text primary key, key text, units integer, state text)"}};

struct OrderRow {
  std::string id;
  std::string key;
  std::int64_t units;
  std::string state;
};
BOOST_DESCRIBE_STRUCT(OrderRow, (), (id, key, units, state))
struct OrderId : Id<OrderId> {};
struct PlaceOrder {
  int units;
};
BOOST_DESCRIBE_STRUCT(PlaceOrder, (), (units))
struct Placed {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(Placed, (), (id))
struct Placement {
  std::string order;
  int units;
};
BOOST_DESCRIBE_STRUCT(Placement, (), (order, units))

constexpr sql::Change<void(std::string_view, std::string_view, int)> insert_order{
    "insert into orders (id, key, units, state) values ($1, $2, $3, 'pending')"};
constexpr sql::Change<void(std::string_view, std::string_view)> end_order{
    "update orders set state = $2 where id = $1 and state = 'pending'"};
constexpr sql::Query<OrderRow()> all_orders{"select id, key, units, state from orders order by id"};
constexpr sql::Query<std::int64_t()> count_pending{
    "select count(*) from orders where state = 'pending'"};

auto become(std::string order, std::string_view state) {
  return [order = std::move(order), state](SqlTransaction& transaction) {
    transaction.require(not_pending, end_order, order, state);
  };
}

using Checkout = SagaContext<Take, GiveBack, Sell>;

Saga bring_to_its_end(Checkout saga, Placement placement) {
  const std::string order = placement.order;
  auto taken = co_await saga.request(Take{order, placement.units}).undo(GiveBack{order}).within(3s);
  if (!taken) co_return co_await saga.fail("reject", become(order, "rejected"));
  auto confirmed = co_await saga.run(
      "confirm", [order, units = placement.units](SqlTransaction& transaction) -> Result<> {
        if (units == 3) return regretted;
        transaction.require(not_pending, end_order, order, "confirmed");
        return {};
      });
  if (!confirmed) co_return co_await saga.fail("cancel", become(order, "cancelled"));
  co_await saga.tell(Sell{order});
}
constexpr SagaDefinition place_order{"place_order.v1", bring_to_its_end};

class Ordering {
 public:
  explicit Ordering(Database& database) : database_(database) {}

  Task<Result<http::Committed<Placed>>> place(PlaceOrder request, http::IdempotentCall call) {
    const std::string order = OrderId::make().text();
    const std::string key{call.header("Idempotency-Key").value_or("")};
    co_return co_await call.write(
        database_,
        [order, key, request](SqlTransaction& transaction) -> Result<http::Reply<Placed>> {
          transaction.run(insert_order, order, key, request.units);
          place_order.start(transaction, std::string_view{order}, {order, request.units});
          return http::Reply<Placed>{.status = 202, .body = {order}};
        });
  }

  // The planted mistake: an answer that nothing stands behind yet.
  Task<Result<http::Reply<Placed>>> place_hastily(PlaceOrder request, http::Call call) {
    const std::string order = OrderId::make().text();
    const std::string key{call.header("Idempotency-Key").value_or("")};
    database_.submit(Urgency::request,
                     {.body = [order, key, request](SqlTransaction& transaction) -> Result<> {
                        transaction.run(insert_order, order, key, request.units);
                        place_order.start(transaction, std::string_view{order},
                                          {order, request.units});
                        return {};
                      },
                      .done = {}});
    co_return http::Reply<Placed>{.status = 202, .body = {order}};
  }

 private:
  Database& database_;
};

// --- What the auditor reads ----------------------------------------------------------------------

template <class Row>
std::vector<Row> rows(Simulation& simulation, std::string_view host,
                      const sql::Query<Row()>& query) {
  std::vector<Row> found;
  SimulatedHost* read = simulation.host(host);
  if (!read) return found;
  const auto done = read->database().read_now(
      [&](SqlTransaction& transaction) { found = transaction.all(query); });
  FREEHOLD_ASSERT(done, "the auditor cannot read");
  return found;
}

void audit_stock(const std::vector<OrderRow>& orders, const std::vector<Held>& held,
                 std::int64_t left, std::vector<std::string>& breaches) {
  std::map<std::string, Held> by_order;
  std::int64_t sum = left;
  for (const Held& one : held) {
    by_order.emplace(one.order_id, one);
    if (one.state != "given_back") sum += one.units;
  }
  if (sum != stock_at_first)
    breaches.push_back("units on hand and sold are " + std::to_string(sum) + " in sum");
  for (const OrderRow& order : orders) {
    const auto found = by_order.find(order.id);
    const std::string state = found == by_order.end() ? "none" : found->second.state;
    const bool fits =
        order.state == "confirmed" ? state == "sold" : state == "given_back" || state == "none";
    if (!fits || order.state == "pending")
      breaches.push_back("order " + order.id + " is " + order.state + ", its stock is " + state);
    if (found != by_order.end()) by_order.erase(found);
  }
  for (const auto& [order, one] : by_order)
    breaches.push_back("stock holds an order that the shop does not know: " + order);
}

void audit_customers(const std::vector<OrderRow>& orders, const Customers& customers,
                     std::vector<std::string>& breaches) {
  std::map<std::string, std::string> by_key;
  for (const OrderRow& order : orders)
    if (!by_key.emplace(order.key, order.id).second)
      breaches.push_back("two orders under the key " + order.key);
  for (const auto& [key, order] : customers.answered())
    if (by_key[key] != order)
      breaches.push_back("the answered order " + order + " of key " + key + " is not there");
  for (const std::string& complaint : customers.complaints()) breaches.push_back(complaint);
}

// It is never the event that kills here, and nobody stays away for long.
ConsumerOptions consumer_options() {
  ConsumerOptions options;
  options.crashes_max = 1'000;
  options.backoff_max = 300ms;
  options.poll_timeout = 2s;
  return options;
}

}  // namespace

SimulatedProgram shop_program(Planted planted) {
  SimulatedProgram program{.name = "shop", .migrations = shop_migrations, .parts = {}};
  program.log_partitions = 2;
  program.consumer_options = consumer_options();
  program.saga_options.deaths_max = 1'000;
  program.parts = [planted](SimulatedHost& host) {
    auto ordering = std::make_shared<Ordering>(host.database());
    host.keep(ordering);
    if (planted == Planted::answer_before_disk)
      host.routes().post<"/orders">(&Ordering::place_hastily, *ordering).signed_in();
    else
      host.routes().post<"/orders">(&Ordering::place, *ordering).signed_in();
    host.sagas().runs(place_order);
  };
  return program;
}

SimulatedProgram stock_program(Planted planted, std::map<std::string, int>& taken_outside) {
  SimulatedProgram program{
      .name = "stock", .migrations = stock_migrations, .callers = {"shop"}, .parts = {}};
  program.consumer_options = consumer_options();
  program.parts = [planted, &taken_outside](SimulatedHost& host) {
    host.commands()
        .on<Take>([planted, &taken_outside](SqlTransaction& transaction, const Take& command,
                                            const Delivery&) -> Result<Answer> {
          auto taken = take(transaction, command);
          if (taken && planted == Planted::effect_outside) ++taken_outside[command.order];
          return taken;
        })
        .on<GiveBack>(give_back)
        .on<Sell>(sell);
  };
  return program;
}

Customers::Customers(Simulation& simulation, int orders)
    : simulation_(simulation), orders_(orders) {}

void Customers::start(int customers) {
  for (int first = 0; first < customers; ++first)
    boost::asio::co_spawn(simulation_.client(), order(first, customers), boost::asio::detached);
}

Task<> Customers::rest() {
  boost::asio::basic_waitable_timer<SteadyClock> timer{simulation_.client()};
  timer.expires_after(std::chrono::microseconds{1 + simulation_.random().below(100'000)});
  co_await timer.async_wait(boost::asio::use_awaitable);
}

Task<> Customers::order(int first, int step) {
  for (int number = first; number < orders_; number += step) {
    const std::string key = "key-" + std::to_string(number);
    const int units = 1 + number % 3;
    const std::string id = co_await order_until_answered(key, units);
    answered_.emplace(key, id);
    if (simulation_.random().below(4) == 0) {
      co_await rest();
      const std::string again = co_await order_until_answered(key, units);
      if (again != id) complaints_.push_back(key + " got order " + id + ", and then " + again);
    }
    co_await rest();
  }
}

Task<std::string> Customers::order_until_answered(std::string key, int units) {
  for (;; ++repeats_) {
    http::Request request{.method = http::Method::post,
                          .target = "/orders",
                          .headers = {{"Authorization", "Bearer alice"},
                                      {"Content-Type", "application/json"},
                                      {"Idempotency-Key", key}},
                          .body = to_json(PlaceOrder{units})};
    auto answer = co_await simulation_.client_transport().exchange("shop", std::move(request),
                                                                   deadline_in(2s));
    if (answer && answer->status == 202) {
      const auto placed = read_json<Placed>(answer->body, Strictness::tolerant);
      if (placed) co_return placed->id;
    }
    if (answer && answer->status < 500)
      complaints_.push_back(key + " got " + std::to_string(answer->status) + " " + answer->body);
    co_await rest();
  }
}

bool is_settled(Simulation& simulation) {
  if (!simulation.host("shop") || !simulation.host("stock")) return false;
  if (rows(simulation, "shop", count_pending).front() > 0) return false;
  for (const Held& held : rows(simulation, "stock", all_held))
    if (held.state == "held") return false;
  return true;
}

std::vector<std::string> audit(Simulation& simulation, const Customers& customers) {
  std::vector<std::string> breaches;
  for (const std::string_view name : {"shop", "stock"}) {
    SimulatedHost* host = simulation.host(name);
    if (!host) {
      breaches.push_back(std::string{name} + " does not start");
      return breaches;
    }
    for (std::string& report : host->reports()) breaches.push_back(std::move(report));
  }
  const auto orders = rows(simulation, "shop", all_orders);
  audit_stock(orders, rows(simulation, "stock", all_held),
              rows(simulation, "stock", on_hand).front(), breaches);
  for (const Delivered& one : rows(simulation, "stock", all_delivered))
    if (one.times > 1)
      breaches.push_back(one.command + " took effect " + std::to_string(one.times) + " times for " +
                         one.order_id);
  audit_customers(orders, customers, breaches);
  return breaches;
}

}  // namespace freehold
