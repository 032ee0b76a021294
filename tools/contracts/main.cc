// SPDX-License-Identifier: Apache-2.0
//
//   contracts PROGRAM PUBLISHED             is what the program promises what it has published?
//   contracts PROGRAM PUBLISHED --publish   writes down what has been added
//
// Exit code 1, and a line for each promise that is broken or not yet written down. What was
// published is never taken back: a change that breaks it is another version, with a type of its
// own.
#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "tools/contracts/contract.h"

namespace contracts {
namespace {

struct Close {
  void operator()(std::FILE* pipe) const { pclose(pipe); }
};

std::string output_of(const std::string& command) {
  const std::unique_ptr<std::FILE, Close> pipe{popen(command.c_str(), "r")};
  std::string all;
  std::array<char, 4096> bytes{};
  while (pipe) {
    const std::size_t size = std::fread(bytes.data(), 1, bytes.size(), pipe.get());
    if (size == 0) break;
    all.append(bytes.data(), size);
  }
  return all;
}

int complain(const std::string& file, const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", file.c_str(), what.c_str());
  return 1;
}

int run(const std::string& program, const std::string& file, bool publish) {
  const auto now = read_contract(output_of("'" + program + "' reference"));
  if (!now) return complain(program, "its reference cannot be read: " + now.error().text());
  std::string published;
  if (std::ifstream stream{file}; stream)
    published.assign(std::istreambuf_iterator<char>{stream}, {});
  const auto before =
      published.empty() ? freehold::Result<Contract>{Contract{}} : read_contract(published);
  if (!before) return complain(file, "it cannot be read: " + before.error().text());

  int outcome = 0;
  for (const std::string& sentence : broken_promises(*before, *now))
    outcome = complain(file, sentence);
  if (outcome != 0 || text_of(*now) == published) return outcome;
  if (!publish)
    return complain(file, "there is more than was published: ./run contracts --publish");
  std::ofstream stream{file};
  stream << text_of(*now);
  return stream.flush() ? 0 : complain(file, "it cannot be written");
}

}  // namespace
}  // namespace contracts

int main(int argc, char** argv) {
  const bool publish = argc == 4 && std::string{argv[3]} == "--publish";
  if (argc != 3 && !publish) {
    std::fputs("contracts PROGRAM PUBLISHED [--publish]\n", stderr);
    return 2;
  }
  return contracts::run(argv[1], argv[2], publish);
}
