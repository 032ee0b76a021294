// SPDX-License-Identifier: Apache-2.0
//
// The books: what a service's database keeps for the toolkit, in the same transactions as the
// service's own data. This is the seam for another kind of database: a store that can keep these
// books can carry events, consumers, replicas, sagas and idempotent calls. The SQL databases share
// one implementation (sql_books.h).
//
// All calls happen inside a transaction, on the thread that runs it.
#pragma once

#include <boost/describe.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/schema/json.h"

namespace freehold {

// The name of an event: where it lies and which commit put it there. A position alone names no
// place in history; the stamp (64 random bits a commit) tells a log that went back.
// Text: "PP-<19 digits>-<16 hex>", for example "00-0000000000000000042-9f86d081884c7d65"; it orders
// as the log does. Position 0 is the place before the first event; its stamp is 0.
struct EventId {
  std::uint32_t partition = 0;
  std::uint64_t position = 0;
  std::uint64_t stamp = 0;

  std::string text() const;
  static Result<EventId> from_text(std::string_view text);
  friend bool operator==(const EventId&, const EventId&) = default;
};

// An event type without its version: "product.state" of "product.state.v1". A text without a
// version is its own family.
std::string_view family_of(std::string_view type);

// An event that a transaction appends.
struct NewEvent {
  std::string type;                // "product.state.v1"
  std::string subject;             // the aggregate's id
  std::string partition_key;       // which events stay in order with one another
  std::string recipient;           // the one service that may read it; empty: any service
  std::int64_t state_version = 0;  // > 0: a state event, kept for ever as the subject's latest
  bool deleted = false;            // a state event that ends its subject
  std::string json;  // the CloudEvent's members, without braces, id, sequence and specversion
};

// An event as it lies in the log.
struct StoredEvent {
  EventId id;
  std::string type;
  std::string recipient;
  std::string json;
};

// A state event that is the latest of its subject.
struct SubjectState : StoredEvent {
  std::string subject;
};

struct LogIdentity {
  std::string log_id;            // UUID drawn when the log was created
  std::uint32_t partitions = 1;  // fixed when the log was created
};

struct Head {
  EventId last;  // of the newest event
  EventId low;   // the last one that retention has cut
};

// Where a reader stands in a partition.
struct Standing {
  Head head;
  // Of the event at its position, if it is still known: of each event that is kept, of low, and 0
  // of position 0.
  std::optional<std::uint64_t> stamp;
};

// How far a consumer has read one partition of another service's log.
struct Cursor {
  EventId at;
  std::string log_id;
};

// An event that could not be applied, or that queues behind one, kept with its partition key.
struct AsideEvent {
  std::string consumer;
  std::string key;
  EventId id;
  std::string json;  // the whole CloudEvent
  int attempts = 0;
  Time next_try{};
  bool parked = false;  // waits for a person
  std::string why;
};

// What a replica must have in common with its owner.
struct StateSum {
  std::int64_t subjects = 0;
  std::int64_t versions = 0;  // their sum
  friend bool operator==(const StateSum&, const StateSum&) = default;
};
BOOST_DESCRIBE_STRUCT(StateSum, (), (subjects, versions))

struct ReaderRecord {
  std::string service;
  std::string consumer;
  std::uint32_t partition = 0;
  EventId acknowledged;
  Time seen{};
};

// `ended` and `failed` are final: such a saga is forgotten after a while. `diverged` and `parked`
// wait for a person.
enum class SagaStatus { running, ended, failed, diverged, parked };
BOOST_DESCRIBE_ENUM(SagaStatus, running, ended, failed, diverged, parked)

enum class StepState { waiting, done, refused };
BOOST_DESCRIBE_ENUM(StepState, waiting, done, refused)

// One step of a saga.
struct JournalEntry {
  std::string name;  // the step's kind and what it names: "request product.reserve_stock.v1"
  std::uint64_t request_hash = 0;
  StepState state = StepState::waiting;
  RawJson outcome{"null"};  // the reply, the value, or the error
};
BOOST_DESCRIBE_STRUCT(JournalEntry, (), (name, request_hash, state, outcome))

struct SagaRecord {
  std::string id;     // unique within the service: "<type>/<key>"
  std::string type;   // "place_order.v1"
  std::string input;  // JSON
  SagaStatus status = SagaStatus::running;
  std::string why;  // of a saga that failed, diverged or is parked
  Time started{};
  Time due{};  // when its last step's timer is up; the epoch: it has none
  // Step 1 and those after it. Only the last one may be waiting.
  std::vector<JournalEntry> journal;
  std::string trace_parent;  // of the request or event that started it; empty: none

  // The step that waits, counted from 1; 0: none does.
  int waiting_step() const {
    const bool waits = !journal.empty() && journal.back().state == StepState::waiting;
    return waits ? static_cast<int>(journal.size()) : 0;
  }
};

// An outcome that came when its step had one already, or for a step or saga that is not there.
struct LateOutcome {
  int step = 0;
  std::string outcome;
};

// The stored answer of an idempotent call. Its sequence, if it has one, is given out by
// remember_answer: the microsecond since 1970 at which that was, or the next free number; so it
// tells the age, too.
struct StoredAnswer {
  std::uint64_t sequence = 0;
  std::string scope;  // caller and route
  std::string key;
  std::uint64_t request_hash = 0;
  int status = 0;
  std::string body;
  std::string location;
  Time at{};
};

// What an index of answers in memory is made from.
struct AnswerKey {
  std::uint64_t sequence = 0;
  std::string scope;
  std::string key;
};

// The key of a call that is about to have its effect, and what the database says of it: the answer
// that was committed under it, if one was, and is not older than `kept` on the server's clock.
struct AnswerHold {
  std::string scope;
  std::string key;
  std::chrono::microseconds kept{};
  std::optional<StoredAnswer> answer{};
};

class Books {
 public:
  virtual ~Books() = default;

  // --- The log -----------------------------------------------------------------------------------
  virtual LogIdentity log() = 0;
  virtual Head head(std::uint32_t partition) = 0;
  // Nobody else appends to the partition before this transaction ends. What is locked after it is
  // locked out of turn (see seal): for a transaction that is a batch of its own.
  virtual void lock_head(std::uint32_t partition) = 0;
  // Gives positions and one stamp to the events, in their order, and stores them; heads are updated
  // last, in ascending partition order. Called by the lane at the end of a batch, after all bodies;
  // nothing is written or locked in the transaction after it. Need not be carried out before the
  // commit, to which a remote database gets both in one message.
  virtual void seal(std::span<const NewEvent> events) = 0;
  // After the commit, once: the sealed events as they lie in the log.
  virtual std::vector<StoredEvent> sealed() = 0;
  // One look at a partition, for a reader that stands at `position`.
  virtual Standing standing_at(std::uint32_t partition, std::uint64_t position) = 0;
  // Events after `position`, in order, until `events_max` or `bytes_max` of JSON is reached.
  virtual std::vector<StoredEvent> events_after(std::uint32_t partition, std::uint64_t position,
                                                std::size_t events_max, std::size_t bytes_max) = 0;
  // The latest state event of each subject of a type family ("product.state"), by subject, after
  // `subject` ("": from the first). A deleted subject has none.
  virtual std::vector<SubjectState> states_after(std::string_view family, std::string_view subject,
                                                 std::size_t events_max) = 0;
  // How many subjects of a family there are, and the sum of their latest versions; reads them all.
  virtual StateSum sum_of_states(std::string_view family) = 0;
  // Cuts the next piece of the prefix that ends with `position` (or with the head, if that is
  // less): looks at no more than `events_max` events, deletes all but the latest states of living
  // subjects, and moves low behind them. Returns how many it deleted; the prefix is gone when low
  // has reached its end. Readers may see low move piece by piece. Locks the head before the end of
  // the transaction, so its job is alone in its batch (Job::is_alone).
  virtual std::size_t cut(std::uint32_t partition, std::uint64_t position,
                          std::size_t events_max) = 0;
  // The last position that was appended before `time`; low if none that is kept was.
  virtual std::uint64_t position_before(std::uint32_t partition, Time time) = 0;
  // Unless a note of a later moment is there: another instance has heard of the reader since.
  virtual void note_reader(const ReaderRecord& reader) = 0;
  virtual std::vector<ReaderRecord> readers() = 0;
  // The same for who will cut by them: nobody else notes one of these before this transaction ends.
  virtual std::vector<ReaderRecord> lock_readers() = 0;
  virtual void forget_reader(std::string_view service, std::string_view consumer) = 0;

  // --- Consumers ---------------------------------------------------------------------------------
  virtual std::optional<Cursor> cursor(std::string_view consumer, std::uint32_t partition) = 0;
  virtual void begin_cursor(std::string_view consumer, std::uint32_t partition,
                            const Cursor& cursor) = 0;  // sets it, whatever it was
  // Moves the cursor if it is still at `from` and the lease still has `epoch`; false if not.
  virtual bool move_cursor(std::string_view consumer, const EventId& from, const EventId& to,
                           std::uint64_t epoch) = 0;
  // One id a minute for 7 days, from which a rejoin finds the last common place: the first of each
  // minute is kept, the last comes first.
  virtual void note_waypoint(std::string_view consumer, const EventId& id, Time at) = 0;
  virtual std::vector<EventId> waypoints(std::string_view consumer, std::uint32_t partition) = 0;
  // How often the process died while it applied the event at this position (0: not noted).
  virtual int tries(std::string_view consumer, const EventId& id) = 0;
  virtual void note_try(std::string_view consumer, const EventId& id) = 0;
  virtual void forget_tries(std::string_view consumer) = 0;

  // The events of one key keep the order of the log. To set the same event aside again changes
  // nothing.
  virtual void set_aside(const AsideEvent& event) = 0;
  virtual std::vector<std::string> aside_keys(std::string_view consumer) = 0;
  // The first event of each key, if it is due and not parked; the one due longest first.
  virtual std::vector<AsideEvent> aside_due(std::string_view consumer, Time now,
                                            std::size_t events_max) = 0;
  virtual std::vector<AsideEvent> aside_of(std::string_view consumer, std::string_view key) = 0;
  virtual std::vector<AsideEvent> aside_all(std::size_t events_max) = 0;
  // Both: false if it is not set aside any more, for another instance has dealt with it.
  virtual bool update_aside(const AsideEvent& event) = 0;  // attempts, next_try, parked, why
  virtual bool drop_aside(const AsideEvent& event) = 0;
  virtual std::optional<Time> next_aside_try(std::string_view consumer) = 0;

  // Leases say which of several instances does what one at a time must do. Their time is that of
  // the database, where it has a clock: no instance can take over with a clock of its own.
  //
  // Takes or keeps the lease of that name for so long from now; the epoch grows with each new
  // owner. nullopt: another owner holds it.
  virtual std::optional<std::uint64_t> take_lease(std::string_view name, std::string_view owner,
                                                  std::chrono::microseconds length) = 0;
  // The same, whoever holds it: for a person's command.
  virtual std::uint64_t seize_lease(std::string_view name, std::string_view owner,
                                    std::chrono::microseconds length) = 0;
  // Whether the lease still has that epoch; then nobody else takes it before this transaction ends.
  virtual bool holds_lease(std::string_view name, std::uint64_t epoch) = 0;
  // Ends the lease, if it has that epoch: whoever asks next gets it.
  virtual void release_lease(std::string_view name, std::uint64_t epoch) = 0;

  // --- Sagas -------------------------------------------------------------------------------------
  // A saga is one record, its journal in it: read, resumed, and written back as a whole.
  // False: that id was added already, and nothing has changed.
  virtual bool add_saga(const SagaRecord& saga) = 0;
  virtual std::optional<SagaRecord> saga(std::string_view id) = 0;
  // The same for who will save it: nobody else changes it before this transaction ends.
  virtual std::optional<SagaRecord> lock_saga(std::string_view id) = 0;
  // Says that it will be asked; see SqlTransaction::foresee.
  virtual void foresee_lock_saga(std::string_view id) { (void)id; }
  // Replaces status, why, journal and timer of a saga that is there and not final. A final one has
  // no timer and may be forgotten later.
  virtual void save_saga(const SagaRecord& saga) = 0;
  // By id, after `after_id` ("": from the first).
  virtual std::vector<SagaRecord> sagas(SagaStatus status, std::string_view after_id,
                                        std::size_t sagas_max) = 0;
  virtual std::int64_t count_sagas(SagaStatus status) = 0;
  // How many have become final since then.
  virtual std::int64_t count_sagas_ended(Time since) = 0;
  // The ids of those whose timer is up at `now`, the one due longest first.
  virtual std::vector<std::string> due_sagas(Time now, std::size_t sagas_max) = 0;
  virtual std::optional<Time> next_timer() = 0;
  // Keeps an outcome that changes nothing, beside the journals.
  virtual void note_late(std::string_view saga, int step, std::string_view outcome) = 0;
  // By step and in order of arrival.
  virtual std::vector<LateOutcome> late_outcomes(std::string_view saga) = 0;
  // Deletes sagas that became final before that time, with their late outcomes and those of
  // unknown sagas; at most `sagas_max` of each in one call. Returns how many sagas.
  virtual std::size_t forget_sagas(Time ended_before, std::size_t sagas_max) = 0;

  // --- Answers of idempotent calls ---------------------------------------------------------------
  // Where one instance has the database it knows in memory which key has which answer, and an
  // answer is found by its sequence. Where several share it (Database::is_shared) the database
  // knows: an answer is found by scope and key, and has no sequence.

  // Returns the answer's sequence, larger than any before, or 0; the one given is not looked at. In
  // a shared database its key must be held, and the answer's time is the server's.
  virtual std::uint64_t remember_answer(const StoredAnswer& answer) = 0;
  // Those after `sequence`, in order, without what was answered. In a shared database none.
  virtual std::vector<AnswerKey> answer_keys_after(std::uint64_t sequence,
                                                   std::size_t answers_max) = 0;
  virtual std::optional<StoredAnswer> answer(std::uint64_t sequence) = 0;
  // Deletes answers older than that, the oldest first; returns how many. A shared database forgets
  // them by the half day, on the server's clock, whatever `answers_max` is: returns 0, and has to
  // be asked at least that often.
  virtual std::size_t forget_answers(std::chrono::microseconds age, std::size_t answers_max) = 0;
  // In a shared database alone: until this transaction ends, nobody else holds one of these keys.
  // Waits for who does, and sets in each what was answered under it. Called by the lane, before the
  // first body of a batch.
  virtual void hold_answers(std::span<AnswerHold* const> holds) = 0;
  // The same for one key, which is not held.
  virtual void find_answer(AnswerHold& hold) = 0;

  // --- Small documents by name: key sets, fingerprints, states of a rebuild ----------------------
  virtual std::optional<std::string> document(std::string_view name) = 0;
  virtual void put_document(std::string_view name, std::string_view text) = 0;
};

}  // namespace freehold
