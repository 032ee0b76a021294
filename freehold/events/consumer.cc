// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/consumer.h"

#include <set>

#include "freehold/base/assert.h"

namespace freehold {

Consumer::Consumer(std::string name, std::string source, BeginAt begin)
    : name_(std::move(name)), source_(std::move(source)), begin_(begin) {
  FREEHOLD_ASSERT(!name_.empty() && !source_.empty(), "a consumer has a name and a source");
}

Consumer& Consumer::on_type(std::string_view type, Typed typed) {
  const bool added = typed_.emplace(type, std::move(typed)).second;
  FREEHOLD_ASSERT(added, "a consumer has one handler for each type of event");
  return *this;
}

Consumer& Consumer::on_family(std::string family, Handler handler) {
  const bool added = raw_.emplace(std::move(family), std::move(handler)).second;
  FREEHOLD_ASSERT(added, "a consumer has one handler for each family of events");
  return *this;
}

Consumer& Consumer::on_set_aside(AsideHandler handler) {
  on_set_aside_ = std::move(handler);
  return *this;
}

Consumer& Consumer::after_unclean_stop(std::function<void()> handler) {
  after_unclean_stop_ = std::move(handler);
  return *this;
}

Consumer& Consumer::rebuild_on_divergence(Rebuild rebuild) {
  rebuild_ = std::move(rebuild);
  return *this;
}

std::vector<std::string> Consumer::families() const {
  std::set<std::string> families;
  for (const auto& [family, handler] : raw_) families.insert(family);
  for (const auto& [type, handler] : typed_)
    if (!raw_.contains(std::string{service_of(type)} + ".*"))
      families.insert(std::string{family_of(type)});
  return {families.begin(), families.end()};
}

const Consumer::Handler* Consumer::raw_handler(std::string_view type) const {
  auto found = raw_.find(family_of(type));
  if (found == raw_.end()) found = raw_.find(std::string{service_of(type)} + ".*");
  return found == raw_.end() ? nullptr : &found->second;
}

Consumer::Decoded Consumer::decode(std::string_view type, std::string_view data) const {
  const auto typed = typed_.find(type);
  if (typed == typed_.end()) {
    if (raw_handler(type)) return {};
    return {nullptr, "this program does not know " + std::string{type}};
  }
  auto event = typed->second.decode(data);
  if (!event) return {nullptr, std::string{type} + ": " + event.error().text()};
  return {*std::move(event), {}};
}

void Consumer::name_locks(RowLocks& locks, const Decoded& decoded, std::string_view type) const {
  if (!decoded.event) return;
  const Typed& typed = typed_.find(type)->second;
  if (typed.names_locks) typed.names_locks(locks, decoded.event.get());
}

void Consumer::apply(SqlTransaction& transaction, const Decoded& decoded,
                     const Delivery& delivery) const {
  if (!decoded.failure.empty()) throw EventFailed(decoded.failure);
  const Transaction::Traced traced{transaction, delivery.trace_parent};
  if (decoded.event)
    typed_.find(delivery.type)->second.apply(transaction, decoded.event.get(), delivery);
  else
    (*raw_handler(delivery.type))(transaction, delivery);
}

}  // namespace freehold
