// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace freehold {

// For tests: a PostgreSQL server of its own in a temporary directory, reached through a socket
// there, with fsync on. It ends with the process, however that ends. As root, which PostgreSQL does
// not run as, it belongs to the user postgres, or else nobody.
class ScratchCluster {
 public:
  // The one that the tests of this process share; made when it is first asked for.
  static ScratchCluster& shared();

  // `settings`: more lines of postgresql.conf.
  explicit ScratchCluster(std::string_view settings = {});
  // A standby, which follows that one.
  struct StandbyOf {
    const ScratchCluster& primary;
  };
  explicit ScratchCluster(StandbyOf standby);
  ScratchCluster(const ScratchCluster&) = delete;
  ScratchCluster& operator=(const ScratchCluster&) = delete;
  ~ScratchCluster();

  // A new, empty database; returns its name.
  std::string create_database();
  void drop_database(const std::string& name) const;
  // As the superuser, or as that role.
  std::string url(std::string_view database, std::string_view role = "postgres") const;
  // Statements that run outside of a transaction, as the superuser; the first column of the last
  // one's first row, if it has any.
  std::string run(std::string_view database, const std::string& script) const;

  std::filesystem::path socket() const;
  // Which of the server's files hold these bytes.
  std::vector<std::filesystem::path> files_with(std::string_view bytes) const;
  pid_t postmaster() const { return postmaster_; }

  void start();  // and waits until it takes connections
  void kill();   // as a crash would, with all of its processes

 private:
  void make_directory();
  void run_to_its_end(const std::vector<std::string>& command);
  void configure(std::string_view settings) const;
  pid_t spawn(const std::vector<std::string>& command, const std::vector<std::string>& environment);

  std::filesystem::path directory_;
  uid_t user_;
  gid_t group_;
  pid_t postmaster_ = 0;
  int databases_ = 0;
};

}  // namespace freehold
