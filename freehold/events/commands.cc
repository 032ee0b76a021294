// SPDX-License-Identifier: Apache-2.0
//
// The data of what Commands appends:
//
//   freehold.reply.v1              {"status":"done","command":"<type>","reply":{…}}
//                                  {"status":"refused","command":"<type>",
//                                   "error":…}  (error_json.h)
//   freehold.command_set_aside.v1  {"command":"<type>","why":"…"}
#include "freehold/events/commands.h"

#include "freehold/base/assert.h"
#include "freehold/base/planted_bug.h"
#include "freehold/events/error_json.h"

namespace freehold {
namespace {

struct CommandSetAside {
  std::string_view command;
  std::string_view why;
};
BOOST_DESCRIBE_STRUCT(CommandSetAside, (), (command, why))

std::string reply_to(const Delivery& command, const Result<std::string>& answer) {
  std::string data = R"({"status":")";
  data += answer ? "done" : "refused";
  data += R"(","command":)";
  write_json(data, command.type);
  if (answer) {
    data += R"(,"reply":)";
    data += *answer;
  } else {
    data += R"(,"error":)";
    data += error_to_json(answer.error());
  }
  data += '}';
  return data;
}

// To whoever sent the command, in its order with the other answers about this subject.
void append_to_sender(Transaction& transaction, const Delivery& command, std::string_view type,
                      std::string_view data) {
  transaction.append(encode(Envelope{.type = type,
                                     .subject = command.subject,
                                     .partition_key = command.partition_key,
                                     .recipient = command.source,
                                     .context = {.in_reply_to = command.request_id,
                                                 .trace_parent = command.trace_parent}},
                            data));
}

}  // namespace

void Commands::add(std::string_view type, Handler handler) {
  FREEHOLD_ASSERT(service_of(type) == service_, "a command begins with the service that takes it");
  const bool added = handlers_.emplace(type, std::move(handler)).second;
  FREEHOLD_ASSERT(added, "a command has one handler");
}

std::vector<Commands::Accepted> Commands::accepted() const {
  std::vector<Accepted> all;
  all.reserve(handlers_.size());
  for (const auto& [type, handler] : handlers_)
    all.push_back({type, handler.schema(), handler.reply_schema()});
  return all;
}

Consumer Commands::from(std::string caller) const {
  Consumer consumer{"commands", std::move(caller)};
  for (const auto& [type, handler] : handlers_)
    consumer.on_type(
        type, {.decode = handler.decode,
               .apply =
                   [answered = handler.answer](SqlTransaction& transaction, const void* command,
                                               const Delivery& delivery) {
                     const Result<std::string> answer = transaction.attempt(
                         [&] { return answered(transaction, command, delivery); });
                     if (FREEHOLD_PLANTED_BUG("commands.reply_lost")) return;
                     if (!delivery.request_id.empty())
                       append_to_sender(transaction, delivery, "freehold.reply.v1",
                                        reply_to(delivery, answer));
                     else if (!answer)
                       throw EventFailed("refused, and nobody waits for the reply: " +
                                         answer.error().text());
                   },
               .names_locks = handler.names_locks});
  consumer.on_family(service_ + ".*", [](SqlTransaction&, const Delivery& delivery) {
    throw EventFailed("this service does not know the command " + std::string{delivery.type});
  });
  consumer.on_set_aside(
      [](SqlTransaction& transaction, const Delivery& delivery, std::string_view why) {
        if (delivery.request_id.empty()) return;
        append_to_sender(transaction, delivery, "freehold.command_set_aside.v1",
                         to_json(CommandSetAside{delivery.type, why}));
      });
  return consumer;
}

}  // namespace freehold
