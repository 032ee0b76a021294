// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/reconciliation.h"

#include <algorithm>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string_view>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/events/event.h"

namespace freehold {
namespace {

// One side's holdings, read page by page, the first that was not taken yet at the front.
struct Stream {
  std::vector<Holding> page{};
  std::size_t taken = 0;
  std::string after{};
  bool is_over = false;

  bool wants_page() const { return !is_over && taken == page.size(); }
  void add(std::vector<Holding> next) {
    page = std::move(next);
    taken = 0;
    is_over = page.empty();
    if (!is_over) after = page.back().key;
  }
  const Holding* front() const { return taken < page.size() ? &page[taken] : nullptr; }
};

std::string_view first_key(const Stream& here, const Stream& there) {
  if (!here.front()) return there.front()->key;
  if (!there.front()) return here.front()->key;
  return std::min<std::string_view>(here.front()->key, there.front()->key);
}

// The state in which this side has the key, which it then leaves behind.
std::optional<std::string> take(Stream& side, std::string_view key) {
  if (!side.front() || side.front()->key != key) return std::nullopt;
  return side.page[side.taken++].state;
}

}  // namespace

Task<Result<std::string>> Comparison::run(bool apply) {
  FREEHOLD_CO_TRY(co_await until_peer_has_read());
  FREEHOLD_CO_TRY(auto found, co_await look());
  if (!found.differences.empty()) {
    FREEHOLD_CO_TRY(co_await until_peer_has_read());
    FREEHOLD_CO_TRY(const Look second, co_await look());
    std::erase_if(found.differences, [&](const Difference& first) {
      return std::ranges::none_of(second.differences, [&](const Difference& again) {
        return again.key == first.key && again.here == first.here && again.there == first.there;
      });
    });
  }
  if (apply)
    for (const Difference& difference : found.differences) {
      FREEHOLD_CO_TRY(co_await database_.write(
          [&](SqlTransaction& transaction) { return difference.remedy.apply(transaction); }));
    }
  co_return report(found, apply);
}

// Both sides in the order of their keys, side by side.
Task<Result<Comparison::Look>> Comparison::look() {
  Look look;
  Stream here;
  Stream there;
  while (true) {
    if (here.wants_page()) {
      FREEHOLD_CO_TRY(auto page, co_await page_here(here.after));
      here.add(std::move(page));
    }
    if (there.wants_page()) {
      FREEHOLD_CO_TRY(auto page, co_await page_there(there.after));
      there.add(std::move(page.holdings));
    }
    if (!here.front() && !there.front()) co_return look;
    const std::string key{first_key(here, there)};
    ++look.keys;
    auto state_here = take(here, key);
    auto state_there = take(there, key);
    auto remedy = reconciliation_.judge(key, state_here, state_there);
    if (!remedy) continue;
    look.differences.push_back(
        {key, std::move(state_here), std::move(state_there), *std::move(remedy)});
    look.is_whole = look.differences.size() < options_.differences_max;
    if (!look.is_whole) co_return look;
  }
}

// What was sent before this was called has had its effect there afterwards.
Task<Result<>> Comparison::until_peer_has_read() {
  FREEHOLD_CO_TRY(const auto ends, co_await heads());
  const Deadline deadline = deadline_in(options_.peer_reads_within);
  boost::asio::basic_waitable_timer<SteadyClock> pause{co_await boost::asio::this_coro::executor};
  while (true) {
    const auto page = co_await page_there("");
    const bool is_late = SteadyClock::now() > deadline;
    if (!page && (page.error().kind() != Kind::unavailable || is_late)) co_return page.error();
    FREEHOLD_CO_TRY(const bool done,
                    co_await database_.read([&](SqlTransaction& transaction) -> Result<bool> {
                      if (!page) return false;
                      return has_read(transaction, page->read, ends);
                    }));
    if (done) co_return Result<>{};
    if (is_late)
      co_return Error{errors::deadline_exceeded,
                      reconciliation_.peer + " has not read all that this service has sent; " +
                          reconciliation_.peer + " parked says why"};
    pause.expires_after(options_.look_again_after);
    co_await pause.async_wait(boost::asio::use_awaitable);
  }
}

Task<Result<std::vector<EventId>>> Comparison::heads() {
  co_return co_await database_.read([](SqlTransaction& transaction) {
    std::vector<EventId> ends;
    for (std::uint32_t partition = 0; partition < transaction.books().log().partitions; ++partition)
      ends.push_back(transaction.books().head(partition).last);
    return ends;
  });
}

Result<bool> Comparison::has_read(SqlTransaction& transaction,
                                  const std::vector<std::string>& places,
                                  const std::vector<EventId>& heads) const {
  for (std::size_t partition = 0; partition < heads.size(); ++partition) {
    if (partition >= places.size()) return heads[partition].position == 0;
    FREEHOLD_TRY(const EventId place, EventId::from_text(places[partition]));
    if (place.partition != partition ||
        transaction.books().standing_at(place.partition, place.position).stamp != place.stamp)
      return Error{errors::log_diverged, reconciliation_.peer + " stands at " + place.text() +
                                             ", which this service's log does not hold: first " +
                                             reconciliation_.peer + " rejoin commands@" +
                                             std::string{own_service()}};
    if (place.position < heads[partition].position) return false;
  }
  return true;
}

Task<Result<HoldingsPage>> Comparison::page_there(std::string after) {
  HoldingsQuery query{.what = reconciliation_.what};
  if (!after.empty()) query.after = std::move(after);
  co_return co_await peer_.get<"/holdings/{what}", HoldingsPage>(
      query, deadline_in(options_.answer_timeout));
}

Task<Result<std::vector<Holding>>> Comparison::page_here(std::string after) {
  co_return co_await database_.read([&](SqlTransaction& transaction) {
    return reconciliation_.here(transaction, after, holdings_in_page);
  });
}

std::string Comparison::report(const Look& look, bool applied) const {
  const std::string own{own_service()};
  const std::string& peer = reconciliation_.peer;
  std::string only_there;
  std::string only_here;
  std::string both;
  for (const Difference& difference : look.differences) {
    std::string line = "  " + difference.key + " ";
    std::string& part = !difference.here ? only_there : !difference.there ? only_here : both;
    if (difference.here) line += *difference.here;
    if (difference.here && difference.there) line += " here, ";
    if (difference.there) line += *difference.there;
    if (difference.here && difference.there) line += " there";
    part += line + ": " + difference.remedy.sentence + "\n";
  }
  std::string text;
  if (!only_there.empty()) text += peer + " holds, and " + own + " does not know:\n" + only_there;
  if (!only_here.empty()) text += own + " holds, and " + peer + " does not know:\n" + only_here;
  if (!both.empty()) text += "they differ about:\n" + both;
  text += reconciliation_.what + ": " + std::to_string(look.keys) + " compared, " +
          std::to_string(look.differences.size()) + " differ";
  if (!look.is_whole) text += ", and there may be more: reconcile again after these";
  if (look.differences.empty()) return text;
  return text + (applied ? "; done as it says"
                         : "; to do as it says: " + own + " reconcile " + peer + " apply");
}

}  // namespace freehold
