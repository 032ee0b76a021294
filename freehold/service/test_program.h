// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: the desk's program (test_desk.cc) as a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace freehold {

// One record that a program wrote: {"time","severity","service","event",…fields}.
using Record = std::map<std::string, std::string>;

// A program at work. Every wait ends after 20 s, as a failure of the test.
class Program {
 public:
  using Environment = std::map<std::string, std::string>;

  explicit Program(std::vector<std::string> arguments, const Environment& environment = {});
  ~Program();  // kills it, if it runs
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Reads on until there is a record of that event; its fields. Empty: the program has ended.
  Record wait_for_record(std::string_view event);
  std::uint16_t wait_until_it_serves();  // its port; 0: it does not

  void signal(int number) const;
  pid_t process() const { return child_; }
  int wait_for_end();  // its exit code; -1: it was killed by a signal

  const std::string& output() const { return output_; }  // all of it after wait_for_end()
  const std::string& errors() const { return errors_; }

 private:
  bool read_more();  // false: the program has closed both

  pid_t child_ = -1;
  int output_pipe_ = -1;
  int errors_pipe_ = -1;
  std::string output_;
  std::string errors_;
  std::size_t looked_at_ = 0;  // of output_
};

std::uint16_t free_port();

}  // namespace freehold
