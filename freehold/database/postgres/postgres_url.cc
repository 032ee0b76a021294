// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_url.h"

#include <libpq-fe.h>

#include <charconv>
#include <map>
#include <memory>
#include <string_view>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

constexpr std::uint16_t standard_port = 5432;

Error malformed(std::string why) {
  return {errors::malformed_configuration, std::move(why)};
}

Result<std::uint16_t> port_in(std::string_view text) {
  if (text.empty()) return standard_port;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.begin(), text.end(), port);
  if (error != std::errc{} || end != text.end() || port == 0)
    return malformed("the database's URL has a port that is none");
  return port;
}

}  // namespace

Result<PostgresNeeds> needs_of_postgres(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://"))
    return malformed("a database's URL begins with postgresql://");
  const std::unique_ptr<PQconninfoOption, void (*)(PQconninfoOption*)> options{
      PQconninfoParse(url.c_str(), nullptr), PQconninfoFree};
  if (!options) return malformed("the database's URL cannot be read");
  std::map<std::string_view, std::string_view> given;
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option)
    if (option->val) given[option->keyword] = option->val;

  for (const auto* secret : {"password", "sslpassword"})
    if (!given[secret].empty())
      return malformed(
          "the database's URL holds a password, which everybody here can read in the list of "
          "processes: put it in a file of mode 0600, and its path behind ?passfile=");
  if (given["dbname"].empty()) return malformed("the database's URL names no database");
  const auto host = given["hostaddr"].empty() ? given["host"] : given["hostaddr"];
  if (host.empty()) return malformed("the database's URL names no host");
  if (host.contains(',')) return malformed("the database's URL names several hosts");

  PostgresNeeds needs;
  if (!host.starts_with('/')) {
    FREEHOLD_TRY(needs.port, port_in(given["port"]));
  }
  for (const auto* file : {"passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl"})
    if (!given[file].empty()) needs.files.emplace_back(given[file]);
  return needs;
}

}  // namespace freehold
