// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/records.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/record.h"
#include "freehold/schema/json.h"

namespace freehold {
namespace {

std::string service_name;

spdlog::level::level_enum level_of(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return spdlog::level::debug;
    case Severity::info:
      return spdlog::level::info;
    case Severity::warning:
      return spdlog::level::warn;
    case Severity::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

void add(std::string& line, std::string_view name, std::string_view value) {
  if (line.size() > 1) line += ',';
  write_json(line, name);
  line += ':';
  write_json(line, value);
}

void to_spdlog(Severity severity, std::string_view event,
               std::initializer_list<RecordField> fields) {
  const auto level = level_of(severity);
  spdlog::logger& logger = *spdlog::default_logger_raw();
  if (!logger.should_log(level)) return;
  std::string line = "{";
  add(line, "time", to_text(now()));
  const auto name = spdlog::level::to_string_view(level);
  add(line, "severity", std::string_view{name.data(), name.size()});
  add(line, "service", service_name);
  add(line, "event", event);
  for (const RecordField& field : fields) add(line, field.name, field.value);
  line += '}';
  logger.log(level, "{}", line);
}

}  // namespace

void send_records(std::string service, std::string_view least) {
  service_name = std::move(service);
  auto sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("records", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(spdlog::level::from_str(std::string{least}));
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
  install_record_sink(to_spdlog);
}

}  // namespace freehold
