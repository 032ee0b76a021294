// SPDX-License-Identifier: Apache-2.0
//
// Each attempt is made in a child process that has confined itself. What this kernel cannot hold is
// skipped by name.
#include "freehold/service/confinement.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <functional>
#include <thread>

#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

constexpr int not_confined = 254;

int opened(const std::filesystem::path& path, int flags) {
  const int file = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  return file >= 0 ? 0 : errno;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket that listens as long as it lives.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 4), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { ::close(socket_); }
  std::uint16_t port() const { return port_; }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

int tried(decltype(&::connect) attempt, std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  return attempt(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                           : errno;
}

class ConfinementTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"own", "siblings"}) {
      std::filesystem::create_directory(directory_.path() / name);
      std::ofstream{directory_.path() / name / "file"} << "content";
    }
    plan_ = {.writable = {own_}, .readable = system_files()};
  }

  // What the body returns in a process confined to the plan: 0, or an error's number.
  int confined(const std::function<int()>& body) const {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(confine(plan_) ? body() : not_confined);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  // What this kernel cannot hold; asked in a child, for there is no way back.
  bool is_held(const std::string& what) const {
    const int missing = confined([&] {
      const auto confinement = confine(plan_);
      return confinement && std::ranges::count(confinement->not_held, what) > 0 ? 1 : 0;
    });
    return missing == 0;
  }

  TemporaryDirectory directory_;
  const std::filesystem::path own_ = directory_.path() / "own";
  const std::filesystem::path siblings_ = directory_.path() / "siblings";
  ConfinementPlan plan_;
};

#define SKIP_UNLESS_HELD(what) \
  if (!is_held(what)) GTEST_SKIP() << "this kernel does not hold: " << (what)

TEST_F(ConfinementTest, the_own_directory_can_be_used) {
  EXPECT_EQ(confined([&] { return opened(own_ / "file", O_RDWR); }), 0);
  EXPECT_EQ(confined([&] { return opened(own_ / "new", O_RDWR | O_CREAT); }), 0);
  EXPECT_EQ(confined([&] { return ::rename((own_ / "new").c_str(), (own_ / "n").c_str()); }), 0);
  EXPECT_EQ(confined([&] { return ::unlink((own_ / "n").c_str()); }), 0);
}

TEST_F(ConfinementTest, a_siblings_directory_can_neither_be_read_nor_written_nor_listed) {
  SKIP_UNLESS_HELD("files");
  EXPECT_EQ(confined([&] { return opened(siblings_ / "file", O_RDONLY); }), EACCES);
  EXPECT_EQ(confined([&] { return opened(siblings_ / "file", O_WRONLY); }), EACCES);
  EXPECT_EQ(confined([&] { return opened(siblings_ / "new", O_RDWR | O_CREAT); }), EACCES);
  EXPECT_EQ(confined([&] { return opened(siblings_, O_RDONLY | O_DIRECTORY); }), EACCES);
  EXPECT_EQ(confined([&] { return ::unlink((siblings_ / "file").c_str()) == 0 ? 0 : errno; }),
            EACCES);
  EXPECT_EQ(opened(siblings_ / "file", O_RDWR), 0);  // from out here it can
}

TEST_F(ConfinementTest, nobody_elses_file_can_be_cut_short) {
  const auto cut = [](const std::filesystem::path& path) {
    return ::truncate(path.c_str(), 0) == 0 ? 0 : errno;
  };
  EXPECT_EQ(confined([&] { return cut(siblings_ / "file"); }), EACCES);
  EXPECT_EQ(std::filesystem::file_size(siblings_ / "file"), 7U);
  EXPECT_EQ(confined([&] {
              const int file = ::open((own_ / "file").c_str(), O_RDWR | O_CLOEXEC);
              return ::ftruncate(file, 3) == 0 ? 0 : errno;
            }),
            0);
}

TEST_F(ConfinementTest, a_link_does_not_lead_out) {
  SKIP_UNLESS_HELD("files");
  std::filesystem::create_symlink(siblings_ / "file", own_ / "link");
  EXPECT_EQ(confined([&] { return opened(own_ / "link", O_RDONLY); }), EACCES);
}

TEST_F(ConfinementTest, no_program_can_be_started) {
  SKIP_UNLESS_HELD("files");
  EXPECT_EQ(confined([] { return ::execl("/bin/true", "true", nullptr) == 0 ? 0 : errno; }),
            EACCES);
}

TEST_F(ConfinementTest, only_declared_ports_can_be_connected_to) {
  SKIP_UNLESS_HELD("TCP ports");
  const Listener peer, stranger;
  plan_.connects_to = {peer.port()};
  EXPECT_EQ(confined([&] { return tried(&::connect, peer.port()); }), 0);
  EXPECT_EQ(confined([&] { return tried(&::connect, stranger.port()); }), EACCES);
  EXPECT_EQ(tried(&::connect, stranger.port()), 0);  // from out here it can
}

TEST_F(ConfinementTest, only_the_own_port_can_be_listened_on) {
  SKIP_UNLESS_HELD("TCP ports");
  std::uint16_t own = 0, other = 0;
  {
    const Listener first, second;
    own = first.port();
    other = second.port();
  }
  plan_.listens_on = {own};
  EXPECT_EQ(confined([&] { return tried(&::bind, own); }), 0);
  EXPECT_EQ(confined([&] { return tried(&::bind, other); }), EACCES);
  EXPECT_EQ(tried(&::bind, other), 0);
}

TEST_F(ConfinementTest, nobody_outside_can_be_signalled) {
  SKIP_UNLESS_HELD("signals and abstract sockets");
  const pid_t parent = ::getpid();
  EXPECT_EQ(confined([&] { return ::kill(parent, 0) == 0 ? 0 : errno; }), EPERM);
}

TEST_F(ConfinementTest, holds_for_threads_and_children_that_come_later) {
  SKIP_UNLESS_HELD("files");
  const auto try_sibling = [&] { return opened(siblings_ / "file", O_RDONLY); };
  EXPECT_EQ(confined([&] {
              int error = 0;
              std::thread{[&] { error = try_sibling(); }}.join();
              return error;
            }),
            EACCES);
  EXPECT_EQ(confined([&] {
              const pid_t child = ::fork();
              if (child == 0) ::_exit(try_sibling());
              int status = 0;
              ::waitpid(child, &status, 0);
              return WEXITSTATUS(status);
            }),
            EACCES);
}

TEST_F(ConfinementTest, what_is_missing_of_the_plan_is_skipped) {
  plan_.readable.emplace_back("/nowhere/at/all");
  EXPECT_EQ(confined([] { return 0; }), 0);
}

}  // namespace
}  // namespace freehold
