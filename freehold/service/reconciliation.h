// SPDX-License-Identifier: Apache-2.0
//
// Two services that worked together, of which one was restored, each know what the other has lost.
// Once both read each other's logs again (`rejoin`), `order reconcile product` compares what the
// two hold, key by key of the business, and says what each difference wants; with `apply` it does
// that. Nothing but the two services' own addresses and logs is used.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/http/peer.h"
#include "freehold/service/holdings.h"

namespace freehold {

// What a difference wants.
struct Remedy {
  std::string sentence;  // "give it back"
  // Sends commands again, or changes what this service holds, in a transaction of its own. It looks
  // at this side once more: that may have changed since they were compared. A repeat has no second
  // effect.
  std::function<Result<>(SqlTransaction&)> apply;
};

// What this service and a peer know of the same keys. A value, put together at start-up.
struct Reconciliation {
  // nullopt: there is nothing to be done, they agree. A side that does not know the key has no
  // state. What this side is still at work on agrees with everything: its saga ends it.
  using Judge = std::function<std::optional<Remedy>(const std::string& key,
                                                    const std::optional<std::string>& here,
                                                    const std::optional<std::string>& there)>;
  std::string peer;
  std::string what;  // the peer's name for them: "reservations", see holdings.h
  Holdings here;
  Judge judge;
};

struct ReconciliationOptions {
  std::size_t differences_max = 1'000;  // in one report
  std::chrono::milliseconds answer_timeout{5'000};
  std::chrono::milliseconds peer_reads_within{10'000};  // the log as it is when asked
  std::chrono::milliseconds look_again_after{100};
};

// One comparison. On the service's I/O thread; what it holds is lost in a crash, and is compared
// anew. What it applies is committed piece by piece.
class Comparison {
 public:
  // All three outlive it.
  Comparison(Database& database, http::Peer& peer, const Reconciliation& reconciliation,
             ReconciliationOptions options = {})
      : database_(database), peer_(peer), reconciliation_(reconciliation), options_(options) {}

  // The report, for a person. What was under way at the first look can be a difference; so there is
  // a second one, after the peer has read all that was sent, and one that both have found is
  // reported, and done away with if `apply` says so. Fails with log_diverged (the peer stands at a
  // place that this service's log does not hold: it is to rejoin), deadline_exceeded (it does not
  // read on), or as the peer, the database or a remedy does; what was applied before that stays.
  Task<Result<std::string>> run(bool apply);

 private:
  struct Difference {
    std::string key;
    std::optional<std::string> here;
    std::optional<std::string> there;
    Remedy remedy;
  };
  struct Look {
    std::vector<Difference> differences;
    std::size_t keys = 0;
    bool is_whole = true;  // false: it ended at differences_max
  };

  Task<Result<Look>> look();
  Task<Result<>> until_peer_has_read();
  Task<Result<std::vector<EventId>>> heads();
  Result<bool> has_read(SqlTransaction& transaction, const std::vector<std::string>& places,
                        const std::vector<EventId>& heads) const;
  Task<Result<HoldingsPage>> page_there(std::string after);
  Task<Result<std::vector<Holding>>> page_here(std::string after);
  std::string report(const Look& look, bool applied) const;

  Database& database_;
  http::Peer& peer_;
  const Reconciliation& reconciliation_;
  const ReconciliationOptions options_;
};

}  // namespace freehold
