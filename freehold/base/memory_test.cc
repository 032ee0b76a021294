// SPDX-License-Identifier: Apache-2.0
//
// With the allocator of the services' programs.
#include "freehold/base/memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "freehold/base/clock.h"

namespace freehold {
namespace {

constexpr std::size_t pieces_at_peak = 65'536;  // of 1,000 bytes

// Allocates nothing: to ask for memory would make the allocator look at what it has.
std::size_t resident_mib() {
  std::array<char, 256> text{};
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  EXPECT_GT(::read(file, text.data(), text.size() - 1), 0);
  ::close(file);
  char* end = nullptr;
  std::strtoull(text.data(), &end, 10);  // what is mapped
  return std::strtoull(end, nullptr, 10) * static_cast<std::size_t>(::getpagesize()) >> 20;
}

TEST(Memory, what_a_peak_has_left_unused_goes_back_to_the_kernel) {
  give_back_unused_memory();
  const std::size_t before = resident_mib();
  {
    std::vector<std::unique_ptr<std::vector<char>>> pieces;
    pieces.reserve(pieces_at_peak);
    for (std::size_t i = 0; i < pieces_at_peak; ++i)
      pieces.push_back(std::make_unique<std::vector<char>>(1000));
    ASSERT_GT(resident_mib(), before + 60);
  }
  const Deadline deadline = deadline_in(std::chrono::seconds{10});
  while (resident_mib() > before + 15 && SteadyClock::now() < deadline) std::this_thread::yield();
  EXPECT_LE(resident_mib(), before + 15);
}

// Each page that the kernel has to find is a fault.
TEST(Memory, what_a_thread_keeps_is_used_again_until_it_is_given_back) {
  std::thread{[] {
    constexpr std::size_t size = std::size_t{32} << 20;
    constexpr long pages = size / 4096;
    const auto faults_of_use = [] {
      const auto faults = [] {
        ::rusage usage{};
        EXPECT_EQ(::getrusage(RUSAGE_THREAD, &usage), 0);
        return usage.ru_minflt;
      };
      const long before = faults();
      const auto memory = std::make_unique_for_overwrite<volatile char[]>(size);
      for (std::size_t i = 0; i < size; i += 4096) memory[i] = 1;
      return faults() - before;
    };
    KeptMemory memory;
    EXPECT_GE(faults_of_use(), pages);
    EXPECT_LT(faults_of_use(), pages / 10);
    memory.give_back();
    EXPECT_GE(faults_of_use(), pages);
  }}.join();
}

}  // namespace
}  // namespace freehold
