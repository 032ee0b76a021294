// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "freehold/http/routes.h"

namespace freehold {

// A service's metrics in Prometheus' text format. Most are read from their owners when somebody
// asks (GET /metrics); only answers are counted as they happen, on any thread; all else is for the
// service's first I/O thread.
class Metrics {
 public:
  enum class Sort { counter, gauge };
  using Labels = std::map<std::string, std::string>;
  struct Sample {
    Labels labels;
    double value = 0;
  };

  Metrics();
  ~Metrics();

  // One number that `read` returns.
  void add(Sort sort, std::string name, std::string sentence, std::function<double()> read);
  // Several, told apart by labels.
  void add(Sort sort, std::string name, std::string sentence,
           std::function<std::vector<Sample>()> read);

  // Counts one HTTP answer by route, method and status, and its time in a histogram.
  void answered(const http::Answered& answered);

  std::string text() const;

  struct Description {
    std::string name;
    std::string sort;
    std::string sentence;
    BOOST_DESCRIBE_CLASS(Description, (), (name, sort, sentence), (), ())
  };
  std::vector<Description> descriptions() const;  // for the generated reference

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace freehold
