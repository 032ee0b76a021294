// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/test_program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/schema/json.h"

namespace freehold {
namespace {

constexpr int patience_ms = 20'000;

std::pair<int, int> make_pipe() {
  std::array<int, 2> ends{};
  FREEHOLD_ASSERT(::pipe2(ends.data(), O_CLOEXEC) == 0, "a pipe");
  return {ends[0], ends[1]};
}

// Appends what there is; closes the pipe at its end.
void read_from(int& pipe, std::string& into) {
  std::array<char, 4096> bytes{};
  const ssize_t size = ::read(pipe, bytes.data(), bytes.size());
  if (size > 0) {
    into.append(bytes.data(), static_cast<std::size_t>(size));
  } else {
    ::close(pipe);
    pipe = -1;
  }
}

}  // namespace

Program::Program(std::vector<std::string> arguments, const Environment& environment) {
  const auto [output, output_end] = make_pipe();
  const auto [errors, errors_end] = make_pipe();
  output_pipe_ = output;
  errors_pipe_ = errors;
  std::vector<char*> words{const_cast<char*>(DESK_PROGRAM)};
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  child_ = ::fork();
  if (child_ == 0) {
    for (const auto& [name, value] : environment)
      ::setenv(name.c_str(), value.c_str(), 1);  // NOLINT(concurrency-mt-unsafe): one thread
    ::dup2(output_end, STDOUT_FILENO);
    ::dup2(errors_end, STDERR_FILENO);
    ::execv(DESK_PROGRAM, words.data());
    ::_exit(127);
  }
  ::close(output_end);
  ::close(errors_end);
}

Program::~Program() {
  if (child_ > 0) {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  if (output_pipe_ >= 0) ::close(output_pipe_);
  if (errors_pipe_ >= 0) ::close(errors_pipe_);
}

bool Program::read_more() {
  std::array pipes{pollfd{output_pipe_, POLLIN, 0}, pollfd{errors_pipe_, POLLIN, 0}};
  if (output_pipe_ < 0 && errors_pipe_ < 0) return false;
  if (::poll(pipes.data(), pipes.size(), patience_ms) <= 0) {
    ADD_FAILURE() << "the program says nothing; until now: " << output_ << errors_;
    return false;
  }
  if (pipes[0].revents != 0) read_from(output_pipe_, output_);
  if (pipes[1].revents != 0) read_from(errors_pipe_, errors_);
  return true;
}

Record Program::wait_for_record(std::string_view event) {
  do {
    for (auto end = output_.find('\n', looked_at_); end != std::string::npos;
         end = output_.find('\n', looked_at_)) {
      const auto line = read_json<Record>(
          std::string_view{output_}.substr(looked_at_, end - looked_at_), Strictness::strict);
      looked_at_ = end + 1;
      if (line && line->contains("event") && line->at("event") == event) return *line;
    }
  } while (read_more());
  return {};
}

std::uint16_t Program::wait_until_it_serves() {
  const Record serving = wait_for_record("serving");
  if (serving.empty()) {
    ADD_FAILURE() << "the program does not serve: " << errors_;
    return 0;
  }
  return static_cast<std::uint16_t>(std::stoi(serving.at("port")));
}

void Program::signal(int number) const {
  ::kill(child_, number);
}

int Program::wait_for_end() {
  while (read_more()) {
  }
  if (output_pipe_ >= 0 || errors_pipe_ >= 0) ::kill(child_, SIGKILL);  // its time was up
  int status = 0;
  ::waitpid(std::exchange(child_, -1), &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::uint16_t free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  FREEHOLD_ASSERT(::bind(socket, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                      ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0,
                  "a free port");
  ::close(socket);
  return ntohs(address.sin_port);
}

}  // namespace freehold
