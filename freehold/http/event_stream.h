// SPDX-License-Identifier: Apache-2.0
//
// Server-sent events (WHATWG HTML, 9.2): an answer that goes on. Each event is
//
//   stream = *( comment / event )      comment = ":" LF LF      (the heartbeat)
//   event  = [ "id: " text LF ] [ "event: " text LF ] 1*( "data: " line LF ) LF
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"

namespace freehold::http {

struct StreamEvent {
  std::string id;     // what a client that comes back sends as Last-Event-ID; empty: none
  std::string event;  // its name; empty: "message"
  std::string data;   // any text; lines are split as the format wants it
};

// Appends the event in its wire form. Line breaks in id and event become spaces.
void write_event(std::string& out, const StreamEvent& event);

// Where a stream's bytes go: a connection, or a test.
class StreamSink {
 public:
  virtual ~StreamSink() = default;
  virtual Task<Result<>> write(std::string bytes) = 0;
};

// A producer's hold on its stream: a handle, passed by value, valid while the producer runs.
class StreamWriter {
 public:
  explicit StreamWriter(StreamSink& sink) : sink_(&sink) {}

  // Sends one event; returns when the connection has taken it. Fails with connection_lost when the
  // client is gone or reads nothing for 30 s: the producer then returns.
  Task<Result<>> send(StreamEvent event);

 private:
  StreamSink* sink_;
};

// Produces the events of one stream and returns at its end. When the client disconnects or the
// server stops, whatever the producer awaits is cancelled (Asio's cancellation: a timer throws
// operation_aborted), so it may simply let that exception pass. One writer, one stream.
class EventStream {
 public:
  using Producer = std::move_only_function<Task<>(StreamWriter)>;

  EventStream() = default;
  EventStream(Producer producer) : producer_(std::move(producer)) {}  // NOLINT: a producer is one

  explicit operator bool() const { return static_cast<bool>(producer_); }

  // When the stream ends, whatever its producer does. Before it is run.
  void end_at(Deadline deadline) { ends_at_ = deadline; }
  Deadline ends_at() const { return ends_at_; }

  // Starts the producer; the stream must outlive the task. To be called once.
  Task<> run(StreamWriter writer) { return producer_(writer); }

 private:
  Producer producer_;
  Deadline ends_at_ = Deadline::max();
};

}  // namespace freehold::http
