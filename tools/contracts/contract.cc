// SPDX-License-Identifier: Apache-2.0
#include "tools/contracts/contract.h"

#include <algorithm>
#include <utility>

#include "freehold/schema/json_schema.h"

namespace contracts {
namespace {

template <class Promise>
const Promise* find(const std::vector<Promise>& promises, std::string_view type) {
  const auto found = std::ranges::find(promises, type, &Promise::type);
  return found == promises.end() ? nullptr : &*found;
}

void compare(std::vector<std::string>& broken, const std::string& what,
             const freehold::RawJson& before, const freehold::RawJson& after) {
  for (const std::string& sentence : freehold::breaks(before.text, after.text))
    broken.push_back(what + ": " + sentence);
}

template <class Promise>
void write_list(std::string& out, std::string_view name, const std::vector<Promise>& promises) {
  out.append("  \"").append(name).append("\": [");
  for (std::size_t i = 0; i < promises.size(); ++i)
    out.append(i > 0 ? ",\n    " : "\n    ").append(freehold::to_json(promises[i]));
  out += promises.empty() ? "]" : "\n  ]";
}

}  // namespace

freehold::Result<Contract> read_contract(std::string_view json) {
  FREEHOLD_TRY(auto contract, freehold::read_json<Contract>(json, freehold::Strictness::tolerant));
  std::ranges::sort(contract.publishes, {}, &PublishedEvent::type);
  std::ranges::sort(contract.accepts, {}, &AcceptedCommand::type);
  return contract;
}

std::string text_of(const Contract& contract) {
  std::string text = "{\n";
  write_list(text, "publishes", contract.publishes);
  text += ",\n";
  write_list(text, "accepts", contract.accepts);
  return text + "\n}\n";
}

std::vector<std::string> broken_promises(const Contract& before, const Contract& after) {
  std::vector<std::string> broken;
  for (const PublishedEvent& event : before.publishes) {
    if (const auto* same = find(after.publishes, event.type))
      compare(broken, event.type, event.schema, same->schema);
    else
      broken.push_back(event.type + " is no longer published");
  }
  for (const AcceptedCommand& command : before.accepts) {
    if (const auto* same = find(after.accepts, command.type)) {
      compare(broken, command.type, command.schema, same->schema);
      compare(broken, "the reply to " + command.type, command.reply, same->reply);
    } else {
      broken.push_back(command.type + " is no longer accepted");
    }
  }
  return broken;
}

}  // namespace contracts
