// SPDX-License-Identifier: Apache-2.0
//
// bench_empty: a handler that does nothing, on the same HTTP stack and as many I/O threads as a
// service has: what a read is measured against. Its answer is as long as that of a product. Serves
// until its standard input ends.
#include <unistd.h>
#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "freehold/http/routes.h"
#include "freehold/http/server.h"

namespace {

namespace http = freehold::http;

struct Nothing {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Nothing, (), (text))

class Emptiness {
 public:
  freehold::Task<freehold::Result<Nothing>> get(http::None, http::Call) {
    constexpr std::size_t as_long_as_a_product = 190;
    co_return Nothing{std::string(as_long_as_a_product, '.')};
  }
};

}  // namespace

// bench_empty PORT
int main(int argc, char** argv) {
  boost::asio::io_context io{1};
  boost::asio::io_context other_io{1};  // io-threads is 2
  Emptiness emptiness;
  http::Routes routes;
  routes.get<"/empty">(&Emptiness::get, emptiness).open();
  const auto port = static_cast<std::uint16_t>(argc > 1 ? std::atoi(argv[1]) : 0);
  http::Server server{routes, {.port = port}, {io.get_executor(), other_io.get_executor()}};
  const auto started = server.start();
  if (!started) {
    std::fprintf(stderr, "bench_empty: %s\n", started.error().text().c_str());
    return 1;
  }
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  boost::asio::posix::stream_descriptor input{io, STDIN_FILENO};
  std::array<char, 1> byte{};
  input.async_read_some(boost::asio::buffer(byte),
                        [](boost::system::error_code, std::size_t) { std::_Exit(0); });
  const auto work = boost::asio::make_work_guard(other_io);
  const std::jthread other{[&other_io] { other_io.run(); }};
  io.run();
}
