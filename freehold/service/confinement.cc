// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "freehold/base/descriptor.h"
#include "freehold/base/errors.h"

namespace freehold {
namespace {

// From linux/landlock.h of Linux 6.12; Debian 12's own header ends at ABI 2.
constexpr std::uint64_t execute = 1U << 0U;
constexpr std::uint64_t write_file = 1U << 1U;
constexpr std::uint64_t read_file = 1U << 2U;
constexpr std::uint64_t read_dir = 1U << 3U;
constexpr std::uint64_t all_of_abi_1 = (1U << 13U) - 1;
constexpr std::uint64_t refer = 1U << 13U;      // ABI 2
constexpr std::uint64_t truncate = 1U << 14U;   // ABI 3
constexpr std::uint64_t ioctl_dev = 1U << 15U;  // ABI 5
constexpr std::uint64_t bind_tcp = 1U << 0U;    // ABI 4
constexpr std::uint64_t connect_tcp = 1U << 1U;
constexpr std::uint64_t scope_abstract_sockets = 1U << 0U;  // ABI 6
constexpr std::uint64_t scope_signals = 1U << 1U;

struct RulesetAttributes {
  std::uint64_t handled_files;
  std::uint64_t handled_net;
  std::uint64_t scoped;
};
struct [[gnu::packed]] PathRule {
  std::uint64_t allowed;
  std::int32_t parent;
};
struct PortRule {
  std::uint64_t allowed;
  std::uint64_t port;
};
constexpr int path_rule = 1;
constexpr int port_rule = 2;

Error failed(const std::string& what) {
  return {errors::cannot_confine,
          what + ": " + std::error_code{errno, std::generic_category()}.message()};
}

std::uint64_t files_handled(int abi) {
  std::uint64_t rights = all_of_abi_1;
  if (abi >= 2) rights |= refer;
  if (abi >= 3) rights |= truncate;
  if (abi >= 5) rights |= ioctl_dev;
  return rights;
}

Result<> allow_path(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
  const Descriptor parent{open(path.c_str(), O_PATH | O_CLOEXEC)};
  if (!parent.is_open()) {
    if (errno == ENOENT) return {};
    return failed(path.string());
  }
  struct stat status{};
  if (fstat(parent.number(), &status) != 0) return failed(path.string());
  if (!S_ISDIR(status.st_mode)) rights &= execute | write_file | read_file | truncate;
  const PathRule rule{rights, parent.number()};
  if (syscall(SYS_landlock_add_rule, ruleset, path_rule, &rule, 0) != 0)
    return failed(path.string());
  return {};
}

Result<> allow_port(int ruleset, std::uint16_t port, std::uint64_t right) {
  const PortRule rule{right, port};
  if (syscall(SYS_landlock_add_rule, ruleset, port_rule, &rule, 0) != 0)
    return failed("port " + std::to_string(port));
  return {};
}

// truncate(2) is refused; ftruncate(2), on a file that was opened for writing, is not.
Result<> refuse_truncate() {
#if defined(__x86_64__)
  constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
#error "name this architecture's AUDIT_ARCH constant here"
#endif
  std::array filter{
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, arch)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, architecture},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_KILL_PROCESS},
      sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_truncate},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EACCES},
      sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  const sock_fprog program{filter.size(), filter.data()};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return failed("seccomp");
  return {};
}

Result<> restrict(const ConfinementPlan& plan, int abi) {
  const std::uint64_t files = files_handled(abi);
  const RulesetAttributes attributes{
      .handled_files = files,
      .handled_net = abi >= 4 ? bind_tcp | connect_tcp : 0,
      .scoped = abi >= 6 ? scope_abstract_sockets | scope_signals : 0,
  };
  const std::size_t size = abi >= 6   ? sizeof attributes
                           : abi >= 4 ? offsetof(RulesetAttributes, scoped)
                                      : offsetof(RulesetAttributes, handled_net);
  const Descriptor ruleset{
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, size, 0))};
  if (!ruleset.is_open()) return failed("Landlock");

  for (const auto& path : plan.writable)
    FREEHOLD_TRY(allow_path(ruleset.number(), path, files & ~execute));
  for (const auto& path : plan.readable)
    FREEHOLD_TRY(allow_path(ruleset.number(), path, read_file | read_dir));
  if (abi >= 4) {
    for (const std::uint16_t port : plan.listens_on)
      FREEHOLD_TRY(allow_port(ruleset.number(), port, bind_tcp));
    for (const std::uint16_t port : plan.connects_to)
      FREEHOLD_TRY(allow_port(ruleset.number(), port, connect_tcp));
  }
  if (syscall(SYS_landlock_restrict_self, ruleset.number(), 0) != 0) return failed("Landlock");
  return {};
}

}  // namespace

Result<Confinement> confine(const ConfinementPlan& plan) {
  constexpr int ask_version = 1;
  Confinement confinement;
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, ask_version);
  confinement.abi = version < 0 ? 0 : static_cast<int>(version);
  if (confinement.abi < 1) confinement.not_held.emplace_back("files");
  if (confinement.abi < 4) confinement.not_held.emplace_back("TCP ports");
  if (confinement.abi < 6) confinement.not_held.emplace_back("signals and abstract sockets");

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no_new_privs");
  if (confinement.abi >= 1) FREEHOLD_TRY(restrict(plan, confinement.abi));
  if (confinement.abi < 3) FREEHOLD_TRY(refuse_truncate());
  return confinement;
}

std::vector<std::filesystem::path> system_files() {
  return {"/lib",           "/lib64",           "/usr/lib",   "/usr/share/zoneinfo", "/etc/ssl",
          "/etc/localtime", "/etc/ld.so.cache", "/proc/self", "/dev/urandom",        "/dev/null"};
}

}  // namespace freehold
