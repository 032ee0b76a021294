// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/internal/event_ids.h"

#include <algorithm>

namespace freehold::internal {

std::vector<std::string> texts_of(const std::vector<EventId>& ids) {
  std::vector<std::string> texts(ids.size());
  std::ranges::transform(ids, texts.begin(), &EventId::text);
  return texts;
}

Result<std::vector<EventId>> ids_of(const std::vector<std::string>& texts) {
  std::vector<EventId> ids;
  ids.reserve(texts.size());
  for (const std::string& text : texts) {
    FREEHOLD_TRY(const EventId id, EventId::from_text(text));
    ids.push_back(id);
  }
  return ids;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += ',';
    text += part;
  }
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

}  // namespace freehold::internal
