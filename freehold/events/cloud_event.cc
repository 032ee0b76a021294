// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/cloud_event.h"

#include <bit>
#include <cstdint>
#include <cstring>

#include "freehold/base/eight_bytes.h"
#include "freehold/base/errors.h"
#include "freehold/schema/json.h"

namespace freehold {
namespace {

// Where the next quotation mark or backslash stands, eight bytes at a look; the end if there is
// none.
std::size_t quote_or_escape(std::string_view text, std::size_t at) {
  for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    const std::uint64_t found = bytes_that_are('"', word) | bytes_that_are('\\', word);
    if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
  }
  while (at < text.size() && text[at] != '"' && text[at] != '\\') ++at;
  return at;
}

// Walks over JSON text and finds where values begin and end. It checks no more than that: the data
// of an event is read strictly by whoever takes it. After the first thing that is wrong it stands
// still, and `wrong` says what it was.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool good() const { return wrong_.empty(); }
  std::string_view wrong() const { return wrong_; }
  void fail(std::string_view what) {
    if (good()) wrong_ = what;
    at_ = text_.size();
  }

  std::size_t at() const { return at_; }
  std::string_view from(std::size_t begin) const { return text_.substr(begin, at_ - begin); }

  // Takes this character if it is the next one.
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, std::string_view otherwise) {
    if (!take(c)) fail(otherwise);
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

  // The text between the quotes, as it is written.
  std::string_view quoted() {
    expect('"', "a text is expected");
    const std::size_t begin = at_;
    while ((at_ = quote_or_escape(text_, at_)) < text_.size() && text_[at_] == '\\') at_ += 2;
    if (at_ >= text_.size()) return fail("a text does not end"), std::string_view{};
    return text_.substr(begin, at_++ - begin);
  }

  // Any value; its text as it is written.
  std::string_view value() {
    skip_space();
    const std::size_t begin = at_;
    int depth = 0;
    do {
      skip_space();
      if (at_ == text_.size()) return fail("a value does not end"), std::string_view{};
      const char c = text_[at_];
      if (c == '"') {
        quoted();
      } else if (c == '{' || c == '[') {
        ++depth, ++at_;
      } else if (c == '}' || c == ']') {
        if (--depth < 0) return fail("a value is missing"), std::string_view{};
        ++at_;
      } else if (depth > 0) {
        ++at_;
      } else {
        while (at_ < text_.size() && !is_delimiter(text_[at_])) ++at_;
        if (at_ == begin) return fail("a value is missing"), std::string_view{};
      }
    } while (depth > 0 && good());
    return from(begin);
  }

  void skip_space() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  static bool is_delimiter(char c) {
    return c == ',' || c == ']' || c == '}' || c == ':' || is_space(c);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string_view wrong_;
};

// Reads one event; its attributes become views, or go to `unescaped` where they were escaped.
class EventReader {
 public:
  EventReader(Scanner& scanner, std::deque<std::string>& unescaped)
      : scanner_(scanner), unescaped_(unescaped) {}

  CloudEvent read() {
    CloudEvent event;
    scanner_.skip_space();
    const std::size_t begin = scanner_.at();
    scanner_.expect('{', "an event is an object");
    if (!scanner_.take('}')) {
      do {
        const std::string_view name = scanner_.quoted();
        scanner_.expect(':', "a colon is missing");
        read_member(event, name);
      } while (scanner_.good() && scanner_.take(','));
      scanner_.expect('}', "an event does not end");
    }
    event.whole = scanner_.from(begin);
    if (scanner_.good()) check(event);
    return event;
  }

 private:
  void read_member(CloudEvent& event, std::string_view name) {
    if (name == "data")
      event.data = scanner_.value();
    else if (name == "id")
      read_id(event);
    else if (name == "type")
      event.type = text();
    else if (name == "subject")
      event.subject = text();
    else if (name == "partitionkey")
      event.partition_key = text();
    else if (name == "time")
      read_time(event);
    else if (name == "requestid")
      event.request_id = text();
    else if (name == "inreplyto")
      event.in_reply_to = text();
    else if (name == "traceparent")
      event.trace_parent = text();
    else if (name == "method")
      event.deleted = text() == "DELETE";
    else
      scanner_.value();  // of a newer producer, or not for us
  }

  std::string_view text() {
    const std::string_view written = scanner_.quoted();
    if (written.find('\\') == std::string_view::npos) return written;
    auto read = read_json<std::string>("\"" + std::string{written} + "\"", Strictness::tolerant);
    if (!read) return scanner_.fail("a text is not JSON"), std::string_view{};
    return unescaped_.emplace_back(*std::move(read));
  }

  void read_id(CloudEvent& event) {
    const auto id = EventId::from_text(text());
    if (!id) return scanner_.fail("id: not the id of an event");
    event.id = *id;
    has_id_ = true;
  }

  void read_time(CloudEvent& event) {
    const auto time = time_from_text(text());
    if (!time) return scanner_.fail("time: not a time");
    event.time = *time;
  }

  void check(const CloudEvent& event) {
    if (!has_id_) scanner_.fail("id: missing");
    if (event.type.empty()) scanner_.fail("type: missing");
    if (event.subject.empty()) scanner_.fail("subject: missing");
    if (event.partition_key.empty()) scanner_.fail("partitionkey: missing");
    if (event.data.empty()) scanner_.fail("data: missing");
  }

  Scanner& scanner_;
  std::deque<std::string>& unescaped_;
  bool has_id_ = false;
};

}  // namespace

Result<std::shared_ptr<const EventBatch>> EventBatch::read(std::string text) {
  const std::shared_ptr<EventBatch> batch{new EventBatch{std::move(text)}};
  Scanner scanner{batch->text_};
  const bool is_array = scanner.take('[');
  if (!is_array || !scanner.take(']')) {
    do {
      batch->events_.push_back(EventReader{scanner, batch->unescaped_}.read());
    } while (is_array && scanner.good() && scanner.take(','));
    if (is_array) scanner.expect(']', "the batch does not end");
  }
  if (scanner.good() && !scanner.at_end()) scanner.fail("something follows the batch");
  if (!scanner.good())
    return Error{errors::malformed, "event " + std::to_string(batch->events_.size()) + ": " +
                                        std::string{scanner.wrong()}};
  return std::shared_ptr<const EventBatch>{batch};
}

Delivery delivery_of(const CloudEvent& event, std::string_view source, int attempt) {
  return {.source = source,
          .id = event.id,
          .type = event.type,
          .subject = event.subject,
          .partition_key = event.partition_key,
          .request_id = event.request_id,
          .in_reply_to = event.in_reply_to,
          .trace_parent = event.trace_parent,
          .time = event.time,
          .attempt = attempt,
          .deleted = event.deleted,
          .data = event.data};
}

void write_cloud_event(std::string& out, const StoredEvent& event) {
  const std::string id = event.id.text();  // PP-<19 digits of the position>-<16 hex>
  const std::string_view sequence = std::string_view{id}.substr(id.find('-') + 1, 19);
  out += R"({"specversion":"1.0","id":")";
  out += id;
  out += R"(","sequence":")";
  out += sequence;
  out += "\",";
  out += event.json;
  out += '}';
}

}  // namespace freehold
