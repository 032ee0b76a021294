// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/scratch_cluster.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>  // mkdtemp
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <iterator>
#include <memory>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

constexpr std::string_view programs = "/usr/lib/postgresql/15/bin/";
constexpr int start_timeout_ms = 60'000;

void must(bool holds, const std::string& what) {
  FREEHOLD_ASSERT(holds, what.c_str());
}

// Those that a killed process has left behind.
void remove_abandoned(const std::filesystem::path& root) {
  constexpr std::string_view prefix = "freehold-cluster-";
  for (const auto& entry : std::filesystem::directory_iterator{root}) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + prefix.size());
    std::error_code ignored;  // another process may be removing it too
    if (::kill(owner, 0) != 0 && errno == ESRCH) std::filesystem::remove_all(entry.path(), ignored);
  }
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  all.reserve(texts.size() + 1);
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// Where the server says, as it does to systemd, that it takes connections.
class Readiness {
 public:
  explicit Readiness(const std::filesystem::path& path)
      : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    ::unlink(path.c_str());
    must(::bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0,
         "no socket at " + path.string());
    ::chmod(path.c_str(), 0777);
  }
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;
  ~Readiness() { ::close(socket_); }

  bool wait() const {
    std::array<char, 512> message{};
    for (;;) {
      pollfd ready{.fd = socket_, .events = POLLIN, .revents = 0};
      if (::poll(&ready, 1, start_timeout_ms) != 1) return false;
      const ssize_t size = ::recv(socket_, message.data(), message.size(), 0);
      if (size < 0) return false;
      if (std::string_view{message.data(), static_cast<std::size_t>(size)}.find("READY=1") !=
          std::string_view::npos)
        return true;
    }
  }

 private:
  const int socket_;
};

}  // namespace

ScratchCluster& ScratchCluster::shared() {
  static ScratchCluster cluster;
  return cluster;
}

ScratchCluster::ScratchCluster(std::string_view settings)
    : user_(::geteuid()), group_(::getegid()) {
  make_directory();
  run_to_its_end({std::string{programs} + "initdb", "-D", (directory_ / "data").string(), "-U",
                  "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"});
  configure(settings);
  start();
}

ScratchCluster::ScratchCluster(StandbyOf standby) : user_(::geteuid()), group_(::getegid()) {
  make_directory();
  run_to_its_end({std::string{programs} + "pg_basebackup", "-D", (directory_ / "data").string(),
                  "-h", standby.primary.directory_.string(), "-U", "postgres", "-c", "fast", "-R",
                  "--no-sync"});
  configure({});
  start();
}

void ScratchCluster::make_directory() {
  const std::filesystem::path root = std::filesystem::temp_directory_path();
  remove_abandoned(root);
  std::string name =
      (root / ("freehold-cluster-" + std::to_string(::getpid()) + "-XXXXXX")).string();
  must(::mkdtemp(name.data()) != nullptr, "no temporary directory");
  directory_ = name;
  if (user_ == 0) {
    const passwd* other = ::getpwnam("postgres");  // NOLINT(concurrency-mt-unsafe)
    if (!other) other = ::getpwnam("nobody");      // NOLINT(concurrency-mt-unsafe)
    must(other != nullptr, "no user to run PostgreSQL as");
    user_ = other->pw_uid;
    group_ = other->pw_gid;
    must(::chown(directory_.c_str(), user_, group_) == 0, "chown " + directory_.string());
  }
}

void ScratchCluster::run_to_its_end(const std::vector<std::string>& command) {
  const pid_t program = spawn(command, {});
  int status = 0;
  must(::waitpid(program, &status, 0) == program && status == 0,
       command.front() + " failed, see " + (directory_ / "log").string());
}

void ScratchCluster::configure(std::string_view settings) const {
  std::ofstream{directory_ / "data" / "postgresql.conf", std::ios::app}
      << "listen_addresses = ''\nunix_socket_directories = '" << directory_.string()
      << "'\nmax_connections = 100\nshared_buffers = 64MB\nmax_wal_size = 256MB\n"
      << settings << '\n';
}

ScratchCluster::~ScratchCluster() {
  if (postmaster_ != 0) kill();
  std::filesystem::remove_all(directory_);
}

// The child ends with the thread that started it: a shared cluster is made by the main one.
pid_t ScratchCluster::spawn(const std::vector<std::string>& command,
                            const std::vector<std::string>& environment) {
  const std::vector<char*> arguments = pointers(command);
  const std::vector<char*> variables = pointers(environment);
  const std::string log = (directory_ / "log").string();
  const pid_t parent = ::getpid();
  const bool changes_user = user_ != ::geteuid();
  const pid_t child = ::fork();
  must(child >= 0, "no process for PostgreSQL");
  if (child != 0) return child;
  // Nothing but system calls from here to execve.
  if (changes_user && (::setgid(group_) != 0 || ::setuid(user_) != 0)) ::_exit(126);
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);  // after setuid, which would clear it
  if (::getppid() != parent) ::_exit(126);
  sigset_t none;
  ::sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  ::setsid();
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execve(arguments[0], arguments.data(), variables.data());
  ::_exit(127);
}

void ScratchCluster::start() {
  const std::filesystem::path ready = directory_ / "ready";
  const Readiness readiness{ready};
  postmaster_ = spawn({std::string{programs} + "postgres", "-D", (directory_ / "data").string()},
                      {"NOTIFY_SOCKET=" + ready.string()});
  must(readiness.wait(), "PostgreSQL did not start, see " + (directory_ / "log").string());
}

// The postmaster's processes see its end and follow it at once (SIGQUIT: without a checkpoint).
void ScratchCluster::kill() {
  ::kill(postmaster_, SIGCONT);
  ::kill(postmaster_, SIGQUIT);
  ::waitpid(postmaster_, nullptr, 0);
  postmaster_ = 0;
}

std::string ScratchCluster::create_database() {
  std::string name = "test_" + std::to_string(++databases_);
  run("postgres", "create database " + name);
  return name;
}

void ScratchCluster::drop_database(const std::string& name) const {
  run("postgres", "drop database if exists " + name + " with (force)");
}

std::string ScratchCluster::url(std::string_view database, std::string_view role) const {
  return "postgresql://" + std::string{role} + "@/" + std::string{database} +
         "?host=" + directory_.string();
}

std::filesystem::path ScratchCluster::socket() const {
  return directory_ / ".s.PGSQL.5432";
}

std::vector<std::filesystem::path> ScratchCluster::files_with(std::string_view bytes) const {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{directory_ / "data"}) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file{entry.path(), std::ios::binary};
    const std::string content{std::istreambuf_iterator<char>{file}, {}};
    if (content.contains(bytes)) found.push_back(entry.path());
  }
  return found;
}

std::string ScratchCluster::run(std::string_view database, const std::string& script) const {
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection{PQconnectdb(url(database).c_str()),
                                                                PQfinish};
  const std::unique_ptr<PGresult, decltype(&PQclear)> result{
      PQexec(connection.get(), script.c_str()), PQclear};
  const ExecStatusType status = PQresultStatus(result.get());
  must(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK,
       script + ": " + PQerrorMessage(connection.get()));
  if (PQntuples(result.get()) == 0) return {};
  return PQgetvalue(result.get(), 0, 0);
}

}  // namespace freehold
