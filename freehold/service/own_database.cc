// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/own_database.h"

#include <chrono>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/base/errors.h"

namespace freehold {
namespace {

// Of what a read still sees nothing is gone; reads end after a second.
constexpr std::chrono::seconds reads_end_within{2};

}  // namespace

Database& OwnDatabase::operator*() const {
  FREEHOLD_ASSERT(*this, "the service's database is not open");
  if (embedded_) return *embedded_;
  return *on_server_;
}

const LaneStatistics& OwnDatabase::lane_statistics() const {
  return embedded_ ? embedded_->lane_statistics() : on_server_->lane_statistics();
}

Result<> OwnDatabase::back_up_to(const std::filesystem::path& file) const {
  if (embedded_) return embedded_->backup_to(file);
  return Error{
      errors::malformed,
      "this service's database is on a server: back it up with pg_dump --format=custom, as the "
      "role of migrator-url; deploy/postgres/restore puts it back"};
}

Result<> OwnDatabase::erase_for_good() const {
  if (embedded_) return embedded_->truncate_wal();
  return on_server_->erase_for_good(now() - reads_end_within);
}

void OwnDatabase::stop() {
  if (embedded_) embedded_->stop();
  if (on_server_) on_server_->stop();
}

}  // namespace freehold
