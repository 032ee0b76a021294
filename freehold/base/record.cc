// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/record.h"

#include <atomic>
#include <cstdio>

#include "freehold/base/clock.h"

namespace freehold {
namespace {

void quote(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string_view name_of(Severity severity) {
  switch (severity) {
    case Severity::debug:
      return "debug";
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

void to_standard_error(Severity severity, std::string_view event,
                       std::initializer_list<RecordField> fields) {
  std::string line = R"({"time":")" + to_text(now()) + R"(","severity":")";
  line += name_of(severity);
  line += R"(","event":)";
  quote(line, event);
  for (const RecordField& field : fields) {
    line += ',';
    quote(line, field.name);
    line += ':';
    quote(line, field.value);
  }
  line += "}\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::atomic<RecordSink> installed = nullptr;

}  // namespace

void record(Severity severity, std::string_view event, std::initializer_list<RecordField> fields) {
  const RecordSink sink = installed.load();
  (sink ? sink : to_standard_error)(severity, event, fields);
}

void install_record_sink(RecordSink sink) {
  installed = sink;
}

}  // namespace freehold
