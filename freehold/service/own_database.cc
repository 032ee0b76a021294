// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/own_database.h"

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"

namespace freehold {
namespace {

constexpr sql::Query<bool()> lock_for_one{
    "select case when exists (select from pg_locks where locktype = 'advisory' "
    "and pid = pg_backend_pid() and classid = 1718773096 and objid = 1) then true "
    "else pg_try_advisory_lock(1718773096, 1) end as alone"};
constexpr sql::Change<void()> wait_for_lock{"select pg_advisory_lock(1718773096, 1)"};

Result<bool> look(Database& on_server) {
  bool alone = false;
  FREEHOLD_TRY(on_server.write_now([&](SqlTransaction& transaction) -> Result<> {
    alone = is_alone(transaction);
    return {};
  }));
  return alone;
}

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
  return Error{errors::malformed,
               "this service's database is on a server: back it up there, with pg_dump"};
}

Result<> OwnDatabase::erase_for_good() const {
  if (embedded_) return embedded_->truncate_wal();
  return {};
}

void OwnDatabase::stop() {
  if (embedded_) embedded_->stop();
  if (on_server_) on_server_->stop();
}

bool is_alone(SqlTransaction& transaction) {
  return transaction.first(lock_for_one).value();
}

// The lane's sessions wait for no lock longer than their lock_timeout.
Result<bool> begin_alone(Database& on_server) {
  FREEHOLD_TRY(const bool alone, look(on_server));
  if (alone) return true;
  (void)on_server.write_now([](SqlTransaction& transaction) -> Result<> {
    transaction.run(wait_for_lock);
    return {};
  });
  return look(on_server);
}

}  // namespace freehold
