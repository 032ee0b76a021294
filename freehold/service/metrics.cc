// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/metrics.h"

#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <chrono>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace freehold {
namespace {

constexpr const char* answers_name = "freehold_http_answers_total";
constexpr const char* answers_sentence = "HTTP answers, by route, method and status.";
constexpr const char* seconds_name = "freehold_http_answer_seconds";
constexpr const char* seconds_sentence = "Time from a request's head to its answer, by route.";

}  // namespace

class Metrics::Parts {
 public:
  struct Reading {
    Sort sort;
    std::string name;
    std::string sentence;
    std::function<std::vector<Sample>()> read;

    prometheus::MetricFamily family() const {
      prometheus::MetricFamily family;
      family.name = name;
      family.help = sentence;
      family.type =
          sort == Sort::counter ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge;
      for (const Sample& sample : read()) {
        prometheus::ClientMetric metric;
        for (const auto& [label, value] : sample.labels) metric.label.push_back({label, value});
        metric.counter.value = sample.value;
        metric.gauge.value = sample.value;
        family.metric.push_back(std::move(metric));
      }
      return family;
    }
  };

  struct RouteMetrics {
    prometheus::Histogram* seconds;
    std::unordered_map<int, prometheus::Counter*> answers;  // by status
  };

  RouteMetrics& of(const http::Answered& answered) {
    auto [found, is_new] = routes.try_emplace(answered.route);
    if (is_new)
      found->second.seconds = &seconds.Add(
          labels(answered), prometheus::Histogram::BucketBoundaries{
                                0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5});
    return found->second;
  }

  static prometheus::Labels labels(const http::Answered& answered) {
    if (!answered.route) return {{"route", "none"}, {"method", "any"}};
    return {{"route", std::string{answered.route->path()}},
            {"method", std::string{name_of(answered.route->method())}}};
  }

  std::mutex mutex;  // guards `routes`
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& answers =
      prometheus::BuildCounter().Name(answers_name).Help(answers_sentence).Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram().Name(seconds_name).Help(seconds_sentence).Register(registry);
  std::unordered_map<const http::Route*, RouteMetrics> routes;
  std::vector<Reading> readings;
};

Metrics::Metrics() : parts_(std::make_unique<Parts>()) {}
Metrics::~Metrics() = default;

void Metrics::add(Sort sort, std::string name, std::string sentence, std::function<double()> read) {
  add(sort, std::move(name), std::move(sentence),
      [read = std::move(read)] { return std::vector<Sample>{{.labels = {}, .value = read()}}; });
}

void Metrics::add(Sort sort, std::string name, std::string sentence,
                  std::function<std::vector<Sample>()> read) {
  parts_->readings.push_back({sort, std::move(name), std::move(sentence), std::move(read)});
}

void Metrics::answered(const http::Answered& answered) {
  const std::scoped_lock lock{parts_->mutex};
  Parts::RouteMetrics& route = parts_->of(answered);
  auto [counter, is_new] = route.answers.try_emplace(answered.status);
  if (is_new) {
    auto labels = Parts::labels(answered);
    labels.emplace("status", std::to_string(answered.status));
    counter->second = &parts_->answers.Add(labels);
  }
  counter->second->Increment();
  route.seconds->Observe(std::chrono::duration<double>(answered.took).count());
}

std::string Metrics::text() const {
  auto families = parts_->registry.Collect();
  for (const Parts::Reading& reading : parts_->readings) families.push_back(reading.family());
  return prometheus::TextSerializer{}.Serialize(families);
}

std::vector<Metrics::Description> Metrics::descriptions() const {
  std::vector<Description> all{{answers_name, "counter", answers_sentence},
                               {seconds_name, "histogram", seconds_sentence}};
  for (const Parts::Reading& reading : parts_->readings)
    all.push_back(
        {reading.name, reading.sort == Sort::counter ? "counter" : "gauge", reading.sentence});
  return all;
}

}  // namespace freehold
