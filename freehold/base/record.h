// SPDX-License-Identifier: Apache-2.0
//
// Records: what a service writes down about itself while it runs, one JSON object a line. The
// toolkit's rooms write them here; service/ sends them to spdlog. No personal data, ever.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace freehold {

enum class Severity { debug, info, warning, error };

struct RecordField {
  std::string_view name;
  std::string value;

  RecordField(std::string_view name, std::string value) : name(name), value(std::move(value)) {}
  RecordField(std::string_view name, std::string_view value) : name(name), value(value) {}
  RecordField(std::string_view name, const char* value) : name(name), value(value) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  RecordField(std::string_view name, Number value) : name(name), value(std::to_string(value)) {}
};

// Writes one record; callable from any thread. `event` is a fixed sentence ("consumer stopped"),
// what varies stands in the fields.
void record(Severity severity, std::string_view event,
            std::initializer_list<RecordField> fields = {});

// Where records go: standard error as JSON lines unless a service or a test installs another sink
// (nullptr: back to standard error).
using RecordSink = void (*)(Severity, std::string_view event,
                            std::initializer_list<RecordField> fields);
void install_record_sink(RecordSink sink);

}  // namespace freehold
