// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/internal/confinement_probe.h"

#ifdef FREEHOLD_TESTING
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "freehold/base/record.h"

namespace freehold {
namespace {

int try_open(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC);
  const int error = errno;
  if (file < 0) return error;
  close(file);
  return 0;
}

int try_truncate(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return errno;
  return truncate(path.c_str(), status.st_size) == 0 ? 0 : errno;
}

int try_socket(const std::string& port, decltype(&connect) attempt) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return errno;
  const int outcome = attempt(socket, reinterpret_cast<sockaddr*>(&address), sizeof address);
  const int error = outcome == 0 ? 0 : errno;
  close(socket);
  return error;
}

// 0, or the number of the error that prevented it.
int attempt(std::string_view what, const std::string& on) {
  if (what == "read") return try_open(on, O_RDONLY);
  if (what == "write") return try_open(on, O_WRONLY);
  if (what == "truncate") return try_truncate(on);
  if (what == "connect") return try_socket(on, &connect);
  if (what == "bind") return try_socket(on, &bind);
  if (what == "signal") return kill(std::atoi(on.c_str()), 0) == 0 ? 0 : errno;
  return EINVAL;
}

}  // namespace

void probe_confinement() {
  const char* text = std::getenv("FREEHOLD_CONFINEMENT_PROBE");  // NOLINT(concurrency-mt-unsafe)
  for (std::string_view rest = text ? text : ""; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    const auto colon = item.find(':');
    const std::string on{item.substr(colon == std::string_view::npos ? item.size() : colon + 1)};
    const int error = attempt(item.substr(0, colon), on);
    record(Severity::info, "confinement probe",
           {{"tried", item}, {"outcome", error == 0 ? "done" : strerrorname_np(error)}});
  }
}

}  // namespace freehold
#endif
