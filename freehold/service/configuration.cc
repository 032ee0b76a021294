// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/configuration.h"

#include <toml++/toml.h>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <numeric>

#include "freehold/base/errors.h"
#include "freehold/database/postgres/postgres_url.h"

namespace freehold {
namespace {

Error malformed(std::string why) {
  return {errors::malformed_configuration, std::move(why)};
}

// The edit distance of Levenshtein (1965).
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

Error unknown_key(std::string_view key, std::string_view where) {
  const auto keys = Configuration::keys();
  const auto nearest = std::ranges::min_element(
      keys, {}, [&](const ConfigurationKey& known) { return distance(known.name, key); });
  return malformed(std::string{where} + ": unknown key '" + std::string{key} + "'; did you mean '" +
                   nearest->name + "'?");
}

std::string variable_of(std::string_view key) {
  std::string variable = "FREEHOLD_";
  for (char c : key) variable += c == '-' ? '_' : static_cast<char>(std::toupper(c));
  return variable;
}

std::optional<std::string> environment(std::string_view key) {
  const char* text = std::getenv(variable_of(key).c_str());  // NOLINT(concurrency-mt-unsafe)
  if (!text || *text == '\0') return std::nullopt;           // as for CLI11
  return text;
}

// Declares every key as a flag and an environment variable.
void declare(CLI::App& app, Configuration& into, std::vector<std::string>& peers) {
  const auto sentence_of = [](std::string_view name) {
    for (const ConfigurationKey& key : Configuration::keys())
      if (key.name == name) return key.sentence;
    FREEHOLD_ASSERT(false, "every flag stands in the table of keys");
    return std::string{};
  };
  const auto flag = [&](const char* name, auto& value) {
    return app.add_option("--" + std::string{name}, value, sentence_of(name))
        ->envname(variable_of(name));
  };
  flag("data", into.data);
  flag("trust", into.trust);
  flag("database-url", into.database_url);
  flag("migrator-url", into.migrator_url);
  flag("address", into.address);
  flag("port", into.port);
  flag("peers", peers)->allow_extra_args(false)->delimiter(',');
  flag("callers", into.callers)->allow_extra_args(false)->delimiter(',');
  flag("io-threads", into.io_threads)->check(CLI::Range(1, 64));
  flag("confine", into.confine);
  flag("log-level", into.log_level)->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  flag("log-partitions", into.log_partitions)->check(CLI::Range(1, 64));
  flag("stop-timeout-s", into.stop_timeout_s)->check(CLI::Range(0, 3600));
  flag("retention-days", into.retention_days)->check(CLI::Range(1, 3650));
  flag("consumer-retry-ms", into.consumer_retry_ms)->check(CLI::Range(1, 3'600'000));
  flag("checkpoint-every-s", into.checkpoint_every_s)->check(CLI::Range(1, 86'400));
  flag("answers-max", into.answers_max)->check(CLI::Range(1'000, 1'000'000'000));
  flag("keys-refetch-s", into.keys_refetch_s)->check(CLI::Range(1, 86'400));
  flag("erase-within-s", into.erase_within_s)->check(CLI::Range(1, 3600));
}

// A text is one flag, a list of them as many.
void add_flags(std::vector<std::string>& flags, const std::string& flag, const toml::node& value) {
  if (const auto* list = value.as_array())
    for (const auto& item : *list) flags.push_back(flag + item.value_or(std::string{}));
  else
    flags.push_back(flag + value.value_or(std::string{}));
}

// The file's keys become flags in front of those of the command line, which win.
Result<std::vector<std::string>> flags_of_file(const std::string& path) {
  std::vector<std::string> flags;
  try {
    const toml::table file = toml::parse_file(path);
    const auto known = Configuration::keys();
    for (const auto& [name, node] : file) {
      const std::string key{name.str()};
      if (std::ranges::find(known, key, &ConfigurationKey::name) == known.end())
        return unknown_key(key, path);
      if (node.is_array()) {
        add_flags(flags, "--" + key + "=", node);
      } else if (const auto* table = node.as_table()) {
        for (const auto& [inner, value] : *table)
          add_flags(flags, "--" + key + "=" + std::string{inner.str()} + "=", value);
      } else if (node.is_boolean()) {
        flags.push_back("--" + key + "=" + (node.value_or(false) ? "true" : "false"));
      } else if (node.is_integer()) {
        flags.push_back("--" + key + "=" + std::to_string(node.value_or(std::int64_t{0})));
      } else {
        flags.push_back("--" + key + "=" + node.value_or(std::string{}));
      }
    }
  } catch (const toml::parse_error& error) {
    return malformed(path + ": " + std::string{error.description()});
  }
  return flags;
}

std::string name_in(const std::string& argument) {
  return argument.substr(2, argument.find('=') - 2);
}

// Settings of the file come first and are dropped where the command line or the environment has
// the same key, since both of these win.
void drop_overridden(std::vector<std::string>& file, const std::vector<std::string>& given) {
  std::erase_if(file, [&](const std::string& flag) {
    const std::string name = name_in(flag);
    return environment(name) || std::ranges::any_of(given, [&](const std::string& argument) {
             return argument.starts_with("--") && name_in(argument) == name;
           });
  });
}

// NAME=HOST:PORT, with a port that can be connected to.
bool is_peer(std::string_view text) {
  const auto equals = text.find('=');
  const auto colon = text.rfind(':');
  if (equals == 0 || equals == text.npos || colon == text.npos || colon <= equals + 1) return false;
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), port);
  return error == std::errc{} && end == digits.end() && port > 0;
}

std::filesystem::path whole(const std::filesystem::path& directory) {
  const auto path = std::filesystem::absolute(directory).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

Result<> check_url(std::string_view key, const std::string& url) {
  if (url.empty()) return {};
  if (const auto needs = needs_of_postgres(url); !needs)
    return malformed(std::string{key} + ": " + std::string{needs.error().detail()});
  return {};
}

Result<> check(Configuration& configuration, const std::vector<std::string>& peers) {
  for (const std::string& peer : peers) {
    const auto equals = peer.find('=');
    if (!is_peer(peer)) return malformed("peers: '" + peer + "' is not NAME=HOST:PORT");
    configuration.peers[peer.substr(0, equals)].push_back(peer.substr(equals + 1));
  }
  for (const std::string& caller : configuration.callers)
    if (!configuration.peers.contains(caller))
      return malformed("callers: '" + caller + "' is not one of the peers, and its log is read");
  if (configuration.data.empty()) return malformed("data: the service's directory is missing");
  configuration.data = whole(configuration.data);
  FREEHOLD_TRY(check_url("database-url", configuration.database_url));
  FREEHOLD_TRY(check_url("migrator-url", configuration.migrator_url));
  if (configuration.database_url.empty() && !configuration.migrator_url.empty())
    return malformed("migrator-url: there is no database-url beside it");
  if (configuration.trust.empty()) configuration.trust = configuration.data.parent_path() / "trust";
  configuration.trust = whole(configuration.trust);
  return {};
}

}  // namespace

std::vector<ConfigurationKey> Configuration::keys() {
  return {
      {"config", "file", "", "TOML file with these keys"},
      {"data", "directory", "", "The service's own directory: database and private key"},
      {"trust", "directory", "DATA/../trust", "Public keys of all services"},
      {"database-url", "postgresql://…", "", "The service's database on a server; none: in DATA"},
      {"migrator-url", "postgresql://…", "", "The same, as the role that may change its schema"},
      {"address", "IP address", "127.0.0.1", "Where the service listens"},
      {"port", "number", "0", "Port on which the service listens; 0: any free one"},
      {"peers", "NAME=HOST:PORT, …", "",
       "Services that this one may connect to; no others. Named again: another instance"},
      {"callers", "NAME, …", "", "Peers whose logs hold commands for this service"},
      {"io-threads", "1 … 64", "2", "Threads that serve requests"},
      {"confine", "true | false", "true", "Confine the process with Landlock"},
      {"log-level", "debug | info | warning | error", "info", "Least severity that is recorded"},
      {"log-partitions", "1 … 64", "1", "Partitions of the event log, when it is created"},
      {"stop-timeout-s", "seconds", "10", "How long a stop may take"},
      {"retention-days", "days", "7", "How long events that everybody has read are kept"},
      {"consumer-retry-ms", "milliseconds", "1000", "Pause before a failed event is tried again"},
      {"checkpoint-every-s", "seconds", "600", "Pause between checkpoints of published states"},
      {"answers-max", "number", "32000000",
       "Answers of idempotent calls of the last 24 hours that are known, at 23 bytes of memory "
       "each; beyond it calls with a new key are refused"},
      {"keys-refetch-s", "seconds", "300", "Pause between fetches of the token issuer's keys"},
      {"erase-within-s", "seconds", "1800", "Time until deleted data is in no file any more"},
  };
}

Result<Configuration> Configuration::read(std::string_view service, int argc, char** argv) {
  Configuration configuration;
  std::vector<std::string> peers;
  std::vector<std::string> given{argv + 1, argv + argc};

  std::string file;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i].starts_with("--config=")) file = given[i].substr(9);
    if (given[i] == "--config" && i + 1 < given.size()) file = given[i + 1];
  }
  if (file.empty()) file = environment("config").value_or("");

  CLI::App app{
      "The " + std::string{service} +
      " service. Without a command it serves. Commands: check, rebuild REPLICA, parked "
      "[redrive CONSUMER KEY], rejoin CONSUMER, reconcile PEER [apply], backup FILE, reference"};
  declare(app, configuration, peers);
  std::string ignored;
  app.add_option("--config", ignored, "TOML file with these keys");
  app.set_version_flag("--version", std::string{service} + " " + std::string{program_version});
  app.add_option("command", configuration.command, "What to do in place of serving");

  if (!file.empty()) {
    if (!std::filesystem::exists(file)) return malformed("config: no file '" + file + "'");
    FREEHOLD_TRY(auto flags, flags_of_file(file));
    drop_overridden(flags, given);
    given.insert(given.begin(), flags.begin(), flags.end());
  }
  std::ranges::reverse(given);  // CLI11 takes them from the back
  try {
    app.parse(given);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    configuration.command = {"help"};
    return configuration;
  } catch (const CLI::CallForVersion& asked) {
    std::cout << asked.what() << '\n';
    configuration.command = {"help"};
    return configuration;
  } catch (const CLI::ExtrasError&) {
    const auto extras = app.remaining();
    const auto flag = std::ranges::find_if(
        extras, [](const std::string& extra) { return extra.starts_with("--"); });
    if (flag != extras.end()) return unknown_key(name_in(*flag), "command line");
    return malformed("command line: too much: '" + extras.front() + "'");
  } catch (const CLI::ParseError& error) {
    return malformed(error.what());
  }
  if (configuration.command == std::vector<std::string>{"reference"}) return configuration;
  FREEHOLD_TRY(check(configuration, peers));
  return configuration;
}

}  // namespace freehold
