// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/books.h"

namespace freehold::internal {

// Which events one reader is shown: those of the families that it asked for ("product.state", or
// "product.*" for all of a service's; none: all), and of those with a recipient only its own.
class FamilyFilter {
 public:
  FamilyFilter(std::vector<std::string> families, std::string reader)
      : families_(std::move(families)), reader_(std::move(reader)) {}

  bool shows(const StoredEvent& event) const {
    if (!event.recipient.empty() && event.recipient != reader_) return false;
    return families_.empty() || std::ranges::any_of(families_, [&](const auto& family) {
             return names(family, event.type);
           });
  }

 private:
  static bool names(std::string_view family, std::string_view type) {
    if (family.ends_with(".*")) return type.starts_with(family.substr(0, family.size() - 1));
    return family == family_of(type);
  }

  std::vector<std::string> families_;
  std::string reader_;
};

}  // namespace freehold::internal
