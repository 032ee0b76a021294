// SPDX-License-Identifier: Apache-2.0
//
// What a service shows at /metrics about its parts; the answers it gives are counted in metrics.cc.
#include "freehold/service/service_parts.h"

namespace freehold {
namespace {

using enum Metrics::Sort;

// One number of a kind of database; none, if the service's is of the other kind.
template <class Statistics>
std::vector<Metrics::Sample> samples_of(const Statistics* statistics,
                                        std::atomic<std::uint64_t> Statistics::* member) {
  if (!statistics) return {};
  return {{{}, static_cast<double>((statistics->*member).load())}};
}

}  // namespace

void Service::Parts::add_metrics() {
  add_database_metrics();
  add_work_metrics();
}

void Service::Parts::add_database_metrics() {
  const auto lane = [this](std::atomic<std::uint64_t> LaneStatistics::* member) {
    return
        [this, member] { return static_cast<double>((database.lane_statistics().*member).load()); };
  };
  metrics.add(counter, "freehold_lane_commits_total", "Commits of the writing lane.",
              lane(&LaneStatistics::batches));
  metrics.add(counter, "freehold_lane_transactions_total", "Transactions that came to an outcome.",
              lane(&LaneStatistics::jobs));
  metrics.add(counter, "freehold_lane_refused_total", "Transactions undone by a refusal.",
              lane(&LaneStatistics::refused));
  metrics.add(counter, "freehold_lane_failed_total", "Transactions undone by a fault.",
              lane(&LaneStatistics::failed));
  metrics.add(counter, "freehold_lane_reruns_total", "Batches that were run again.",
              lane(&LaneStatistics::reruns));
  metrics.add(counter, "freehold_lane_overloads_total", "Transactions that found the queue full.",
              lane(&LaneStatistics::overloads));
  metrics.add(counter, "freehold_log_events_total", "Events appended to the log.",
              lane(&LaneStatistics::events));
  metrics.add(gauge, "freehold_lane_load", "Share of the queue that is taken, 0 to 1.",
              [this] { return database->load(); });
  metrics.add(
      gauge, "freehold_log_kept", "Positions from the log's low-water mark to its head.", [this] {
        std::vector<Metrics::Sample> samples;
        const auto read = database->read_now([&](SqlTransaction& transaction) {
          const auto partitions = transaction.books().log().partitions;
          for (std::uint32_t partition = 0; partition < partitions; ++partition) {
            const Head head = transaction.books().head(partition);
            samples.push_back({{{"partition", std::to_string(partition)}},
                               static_cast<double>(head.last.position - head.low.position)});
          }
        });
        if (!read) samples.clear();
        return samples;
      });
  const auto embedded = [this](std::atomic<std::uint64_t> SqliteStatistics::* member) {
    return [this, member] {
      return samples_of(database.embedded() ? &database.embedded()->statistics() : nullptr, member);
    };
  };
  metrics.add(gauge, "freehold_wal_pages",
              "Pages in the write-ahead log after the last commit; of an embedded database.",
              embedded(&SqliteStatistics::wal_pages));
  metrics.add(counter, "freehold_checkpoints_total",
              "Times that the whole write-ahead log was carried into the file.",
              embedded(&SqliteStatistics::checkpoints));
  const auto on_server = [this](std::atomic<std::uint64_t> PostgresStatistics::* member) {
    return [this, member] {
      return samples_of(database.on_server() ? &database.on_server()->statistics() : nullptr,
                        member);
    };
  };
  metrics.add(counter, "freehold_database_connections_total",
              "Connections that were made to the database's server.",
              on_server(&PostgresStatistics::connections));
  metrics.add(counter, "freehold_database_commits_unknown_total",
              "Commits whose answer was lost with the connection to the server.",
              on_server(&PostgresStatistics::commits_unknown));
  metrics.add(counter, "freehold_database_commits_found_total", "Of these, found to have happened.",
              on_server(&PostgresStatistics::commits_found));
  metrics.add(gauge, "freehold_answers_kept", "Answers of idempotent calls that can be repeated.",
              [this] { return static_cast<double>(answers->size()); });
}

void Service::Parts::add_work_metrics() {
  metrics.add(gauge, "freehold_http_connections", "Connections open now.",
              [this] { return static_cast<double>(server ? server->connections() : 0); });
  metrics.add(counter, "freehold_http_connections_cut_total",
              "Connections cut because too many answers waited for their clients.",
              [this] { return static_cast<double>(server ? server->connections_cut() : 0); });
  metrics.add(gauge, "freehold_consumer_lag", "Events behind the source's head, by consumer.",
              [this] {
                std::vector<Metrics::Sample> samples;
                samples.reserve(loops.size());
                for (const auto& loop : loops)
                  samples.push_back({{{"consumer", loop->consumer().cursor_name()}},
                                     static_cast<double>(loop->status().lag())});
                return samples;
              });
  metrics.add(gauge, "freehold_consumer_stopped", "1: the consumer has stopped itself.", [this] {
    std::vector<Metrics::Sample> samples;
    samples.reserve(loops.size());
    for (const auto& loop : loops)
      samples.push_back({{{"consumer", loop->consumer().cursor_name()}},
                         loop->status().state == ConsumerState::stopped ? 1.0 : 0.0});
    return samples;
  });
  metrics.add(gauge, "freehold_replica_differs",
              "1: the replica differs from its owner, at two checkpoints in a row.", [this] {
                std::vector<Metrics::Sample> samples;
                for (const auto& [table, differs] : replicas->drift())
                  samples.push_back({{{"replica", table}}, differs ? 1.0 : 0.0});
                return samples;
              });
  metrics.add(counter, "freehold_replica_passed_over_total",
              "State events that were not newer than the replica's row.", [this] {
                std::vector<Metrics::Sample> samples;
                for (const auto& [table, count] : replicas->passed_over())
                  samples.push_back({{{"replica", table}}, static_cast<double>(count)});
                return samples;
              });
  metrics.add(gauge, "freehold_sagas_admitted", "1: a new saga would be admitted now; 0: refused.",
              [this] { return sagas->admit() ? 1.0 : 0.0; });
  metrics.add(gauge, "freehold_sagas", "Sagas alive, by status.", [this] {
    const SagaCounts counts = sagas->counts();
    return std::vector<Metrics::Sample>{
        {{{"status", "running"}}, static_cast<double>(counts.running)},
        {{{"status", "parked"}}, static_cast<double>(counts.parked)},
        {{{"status", "diverged"}}, static_cast<double>(counts.diverged)}};
  });
}

}  // namespace freehold
