// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/http/remembered_answers.h"

namespace freehold {

// One key of a service's configuration, for help and for the generated reference.
struct ConfigurationKey {
  std::string name;
  std::string type;
  std::string standard;  // the value without any setting
  std::string sentence;
};

inline constexpr std::string_view program_version = "0.1.0";

// How one process of a service is set up. Each key may come from a flag (--port 8081), from the
// environment (FREEHOLD_PORT=8081) or from the file that --config names (TOML: port = 8081); the
// first of these wins. An unknown key is an error that names the nearest known one.
struct Configuration {
  std::filesystem::path data;   // the service's own directory: database, private key
  std::filesystem::path trust;  // public keys of all services
  std::string database_url;     // of a PostgreSQL server; empty: SQLite in `data`
  std::string migrator_url;     // the same database, as the role that changes its schema; or empty
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  // Declared neighbours: name → host:port of each instance.
  std::map<std::string, std::vector<std::string>> peers;
  std::vector<std::string> callers;  // services whose logs hold commands for this one
  std::size_t io_threads = 2;        // that serve requests
  bool confine = true;               // Landlock; false only where a debugger needs it
  std::string log_level = "info";
  std::uint32_t log_partitions = 1;  // of the event log, when it is created
  int stop_timeout_s = 10;
  int retention_days = 7;
  int consumer_retry_ms = 1000;  // pause before an event that was set aside is tried again
  int checkpoint_every_s = 600;  // of the published states, for replicas to compare with
  std::uint64_t answers_max = http::RememberedAnswers::keys_max_default;  // of idempotent calls
  int keys_refetch_s = 300;   // pause between fetches of the token issuer's keys
  int erase_within_s = 1800;  // until deleted data is in no file any more

  // What to do: empty = serve; else an operator command and its arguments.
  std::vector<std::string> command;

  // Reads flags, environment and file. Refused: malformed_configuration, with one line that says
  // what is wrong. `--help` and `--version` print and return with `command` = {"help"}. Both
  // directories are absolute afterwards.
  static Result<Configuration> read(std::string_view service, int argc, char** argv);

  static std::vector<ConfigurationKey> keys();
};

}  // namespace freehold
