// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/own_database.h"

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"

namespace freehold {
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
  return {};
}

void OwnDatabase::stop() {
  if (embedded_) embedded_->stop();
  if (on_server_) on_server_->stop();
}

}  // namespace freehold
