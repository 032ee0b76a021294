// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "freehold/events/feed.h"

namespace freehold {

namespace http {
class Peer;
}

// Another service's log, read over HTTP (HTTP Feeds with CloudEvents batches; the routes are those
// of EventLog). The peer must outlive it.
class HttpFeed final : public Feed {
 public:
  explicit HttpFeed(http::Peer& peer) : peer_(peer) {}

  Task<Result<LogDescription>> describe(Deadline deadline) override;
  Task<Result<FeedRange>> read(FeedRequest request, Deadline deadline) override;
  Task<Result<StatesPage>> states(std::string family, std::string after_subject,
                                  std::size_t events_max, Deadline deadline) override;

 private:
  http::Peer& peer_;
};

}  // namespace freehold
