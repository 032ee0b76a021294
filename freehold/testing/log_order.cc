// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/log_order.h"

#include <map>
#include <set>
#include <utility>

namespace freehold {
namespace {

using Place = std::pair<std::uint32_t, std::uint64_t>;  // partition, position

class OrderCheck {
 public:
  void see(const LogReading& reading) {
    std::uint64_t last = reading.after;
    for (const EventId& id : reading.events) {
      if (id.partition != reading.partition) breach(reading, id, "lies in another partition");
      if (id.position != last + 1) breach(reading, id, "does not follow " + std::to_string(last));
      last = id.position;
      see_stamp(reading, id);
    }
    if (last < reading.head.position) breach(reading, reading.head, "is a head without its event");
    if (last > reading.head.position) breach(reading, reading.head, "is a head before its events");
    if (reading.head.position > 0) see_stamp(reading, reading.head);

    std::uint64_t& newest = heads_[{reading.reader, reading.partition}];
    if (reading.head.position < newest) breach(reading, reading.head, "is a head that went back");
    newest = reading.head.position;
  }

  // A stamp covers one stretch of each partition: whatever lies between two of its events is its.
  void see_stretches() {
    std::set<std::pair<std::uint32_t, std::uint64_t>> ended;
    const std::pair<const Place, std::uint64_t>* before = nullptr;
    for (const auto& entry : stamps_) {
      const auto& [place, stamp] = entry;
      const bool goes_on = before && before->first.first == place.first && before->second == stamp;
      if (!goes_on && !ended.insert({place.first, stamp}).second)
        breaches_.push_back(text({place.first, place.second, stamp}) +
                            " has the stamp of a commit that ended before it");
      before = &entry;
    }
  }

  std::vector<std::string> breaches() && { return std::move(breaches_); }

 private:
  static std::string text(const EventId& id) { return id.text(); }

  void breach(const LogReading& reading, const EventId& id, const std::string& what) {
    breaches_.push_back(reading.reader + " after " + std::to_string(reading.after) + ": " +
                        text(id) + ' ' + what);
  }

  void see_stamp(const LogReading& reading, const EventId& id) {
    if (id.stamp == 0) breach(reading, id, "has no stamp");
    const auto [known, is_new] = stamps_.try_emplace({id.partition, id.position}, id.stamp);
    if (!is_new && known->second != id.stamp) breach(reading, id, "had another stamp");
  }

  std::map<std::pair<std::string, std::uint32_t>, std::uint64_t> heads_;
  std::map<Place, std::uint64_t> stamps_;
  std::vector<std::string> breaches_;
};

}  // namespace

std::vector<std::string> breaches_of_order(std::span<const LogReading> readings) {
  OrderCheck check;
  for (const LogReading& reading : readings) check.see(reading);
  check.see_stretches();
  return std::move(check).breaches();
}

std::vector<std::string> breaches_of_commits(std::span<const std::vector<EventId>> commits) {
  std::vector<std::string> breaches;
  std::set<std::uint64_t> stamps;
  std::map<std::uint32_t, std::uint64_t> newest;
  for (const std::vector<EventId>& commit : commits) {
    if (commit.empty()) continue;
    const std::uint64_t stamp = commit.front().stamp;
    if (stamp == 0) breaches.push_back(commit.front().text() + " has no stamp");
    if (!stamps.insert(stamp).second)
      breaches.push_back(commit.front().text() + " has the stamp of an earlier commit");
    for (const EventId& id : commit) {
      if (id.stamp != stamp) breaches.push_back(id.text() + " has a stamp of its own");
      if (id.position != newest[id.partition] + 1)
        breaches.push_back(id.text() + " does not follow " + std::to_string(newest[id.partition]));
      newest[id.partition] = id.position;
    }
  }
  return breaches;
}

}  // namespace freehold
