// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_statement.h"

#include <libpq-fe.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <concepts>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/postgres/postgres_foresight.h"
#include "freehold/database/postgres/postgres_groups.h"
#include "freehold/database/transaction.h"

namespace freehold {
namespace {

// From the server's catalogue pg_type; they never change.
enum TypeNumber : unsigned {
  bool_type = 16,
  bytea_type = 17,
  bigint_type = 20,
  smallint_type = 21,
  integer_type = 23,
  text_type = 25,
  float_type = 700,
  double_type = 701,
  numeric_type = 1700,
  jsonb_type = 3802,
  bytea_array_type = 1001,
  text_array_type = 1009,
  bigint_array_type = 1016,
  double_array_type = 1022,
};

unsigned array_type_of(unsigned element_type) {
  switch (element_type) {
    case bytea_type:
      return bytea_array_type;
    case text_type:
      return text_array_type;
    case double_type:
      return double_array_type;
    default:
      FREEHOLD_ASSERT(element_type == bigint_type, "a parameter has one of four types");
      return bigint_array_type;
  }
}

template <std::unsigned_integral T>
void append_big_endian(std::string& to, T value) {
  for (int shift = static_cast<int>(sizeof value * 8) - 8; shift >= 0; shift -= 8)
    to += static_cast<char>(value >> shift & 0xff);
}

template <std::unsigned_integral T>
T big_endian(std::string_view bytes) {
  T value = 0;
  for (const char byte : bytes.substr(0, sizeof value))
    value = static_cast<T>(value << 8 | static_cast<unsigned char>(byte));
  return value;
}

// A one-dimensional array: dimensions, whether it has nulls, the type of its elements, their
// number, the index of the first; then each element behind its length.
void write_array_head(std::string& to, unsigned element_type, std::size_t count) {
  to.clear();
  append_big_endian(to, std::uint32_t{count > 0});
  append_big_endian(to, std::uint32_t{1});
  append_big_endian(to, std::uint32_t{element_type});
  if (count == 0) return;
  append_big_endian(to, static_cast<std::uint32_t>(count));
  append_big_endian(to, std::uint32_t{1});
}

// A whole number in groups of four decimal digits: how many groups, the weight of the first, sign,
// decimals, the groups. nullopt: it has decimals, or is too large.
std::optional<std::int64_t> whole_numeric(std::string_view bytes) {
  const auto word = [&](std::size_t at) { return big_endian<std::uint16_t>(bytes.substr(at * 2)); };
  const int groups = word(0);
  const auto weight = static_cast<std::int16_t>(word(1));
  if (groups > weight + 1 || weight > 4) return std::nullopt;
  std::int64_t value = 0;
  for (int group = 0; group <= weight; ++group) {
    const std::int64_t digits = group < groups ? word(4 + static_cast<std::size_t>(group)) : 0;
    if (__builtin_mul_overflow(value, 10'000, &value) ||
        __builtin_add_overflow(value, digits, &value))
      return std::nullopt;
  }
  return word(2) == 0 ? value : -value;
}

}  // namespace

void ClearPostgresResult::operator()(pg_result* result) const {
  PQclear(result);
}

PostgresStatement::Parameter& PostgresStatement::parameter(int number, unsigned type) {
  const auto place = static_cast<std::size_t>(number) - 1;
  if (parameters_.size() <= place) parameters_.resize(place + 1);
  Parameter& parameter = parameters_[place];
  parameter.type = type;
  parameter.is_null = type == 0;
  parameter.bytes.clear();
  return parameter;
}

void PostgresStatement::null(int number) {
  parameter(number, 0);
}

void PostgresStatement::integer(int number, std::int64_t value) {
  append_big_endian(parameter(number, bigint_type).bytes, std::bit_cast<std::uint64_t>(value));
}

void PostgresStatement::real(int number, double value) {
  append_big_endian(parameter(number, double_type).bytes, std::bit_cast<std::uint64_t>(value));
}

void PostgresStatement::text(int number, std::string_view value) {
  parameter(number, text_type).bytes = value;
}

void PostgresStatement::blob(int number, std::span<const std::uint8_t> value) {
  parameter(number, bytea_type).bytes.assign(value.begin(), value.end());
}

void PostgresStatement::integers(int number, std::span<const std::int64_t> values) {
  std::string& bytes = parameter(number, bigint_array_type).bytes;
  write_array_head(bytes, bigint_type, values.size());
  for (const std::int64_t value : values) {
    append_big_endian(bytes, std::uint32_t{sizeof value});
    append_big_endian(bytes, std::bit_cast<std::uint64_t>(value));
  }
}

void PostgresStatement::texts(int number, std::span<const std::optional<std::string_view>> values) {
  array(number, text_array_type, text_type, values);
}

void PostgresStatement::blobs(int number, std::span<const std::optional<std::string_view>> values) {
  array(number, bytea_array_type, bytea_type, values);
}

void PostgresStatement::array(int number, unsigned type, unsigned element_type,
                              std::span<const std::optional<std::string_view>> values) {
  std::string& bytes = parameter(number, type).bytes;
  write_array_head(bytes, element_type, values.size());
  for (const auto& value : values) {
    append_big_endian(bytes, value ? static_cast<std::uint32_t>(value->size()) : ~std::uint32_t{0});
    if (value) bytes += *value;
  }
}

void PostgresStatement::begin_array(int number, unsigned element_type, std::size_t count) {
  write_array_head(parameter(number, array_type_of(element_type)).bytes, element_type, count);
}

// As a parameter of its type by itself, behind its length.
void PostgresStatement::append_element(int number, std::string_view bytes) {
  std::string& array = parameters_[static_cast<std::size_t>(number) - 1].bytes;
  append_big_endian(array, static_cast<std::uint32_t>(bytes.size()));
  array += bytes;
}

std::size_t PostgresStatement::variant() {
  types_.clear();
  for (const Parameter& parameter : parameters_) types_.push_back(parameter.type);
  const auto found = std::ranges::find_if(variants_, [this](const Variant& variant) {
    return variant.types == types_ && variant.is_limited == is_limited_;
  });
  if (found != variants_.end()) return static_cast<std::size_t>(found - variants_.begin());
  variants_.push_back({types_, is_limited_, "s" + std::to_string(++connection_.names_), false});
  return variants_.size() - 1;
}

void PostgresStatement::send(bool is_kept, std::int64_t rows_expected) {
  connection_.check_usable();
  connection_.send_groups();
  const std::size_t number = variant();
  Variant& variant = variants_[number];
  const auto count = static_cast<int>(parameters_.size());
  pg_conn* const handle = connection_.handle_.get();
  if (!variant.is_prepared) {
    const std::string text =
        is_limited_ ? "select * from (" + text_ + ") as page limit $" + std::to_string(count)
                    : text_;
    if (PQsendPrepare(handle, variant.name.c_str(), text.c_str(), count, variant.types.data()) != 1)
      connection_.lose(PQerrorMessage(handle));
    variant.is_prepared = true;  // until it is known that it could not be
    connection_.sent_.push_back({PostgresConnection::Kind::preparation, this, number, false});
  }
  std::vector<const char*> values;
  std::vector<int> lengths;
  const std::vector<int> formats(parameters_.size(), 1);
  for (const Parameter& parameter : parameters_) {
    values.push_back(parameter.is_null ? nullptr : parameter.bytes.data());
    lengths.push_back(static_cast<int>(parameter.bytes.size()));
  }
  if (PQsendQueryPrepared(handle, variant.name.c_str(), count, values.data(), lengths.data(),
                          formats.data(), 1) != 1)
    connection_.lose(PQerrorMessage(handle));
  connection_.sent_.push_back(
      {PostgresConnection::Kind::execution, this, number, is_kept, rows_expected});
  is_sent_ = is_kept;
}

// Of a body that is only looked at nothing is sent. By key: with others of its kind.
void PostgresStatement::send() {
  PostgresForesight& foresight = connection_.foresight();
  if (reach_ == sql::Reach::lock && foresight.holds(*this)) return;
  if (foresight.is_looking()) {
    if (reach_ == sql::Reach::anything) throw internal::LookedAhead{};
    return;
  }
  ++connection_.writes_;
  note_change();
  if (!connection_.groups().add(*this, false)) send_change(-1);
}

void PostgresStatement::note_change() {
  if (is_by_key()) connection_.foresight().changed(PostgresForesight::key_of(*this));
  if (reach_ == sql::Reach::anything) connection_.foresight().changed_anything();
}

bool PostgresStatement::change_one() {
  PostgresForesight& foresight = connection_.foresight();
  if (is_by_key() && foresight.is_looking()) return true;
  if (is_by_key() && connection_.groups().add(*this, true)) {
    note_change();
    ++connection_.writes_;
    return true;
  }
  return execute() == 1;
}

void PostgresStatement::foresee() {
  connection_.foresight().want(*this);
}

void PostgresStatement::send_change(std::int64_t rows_expected) {
  connection_.has_unknown_changes_ = true;
  if (rows_expected >= 0) connection_.has_expectations_ = true;
  send(false, rows_expected);
}

void PostgresStatement::send_lock() {
  connection_.has_unknown_changes_ = true;
  send(false);
}

void PostgresStatement::send_to_read() {
  ++connection_.writes_;
  connection_.has_unknown_changes_ = true;
  send(true);
}

void PostgresStatement::note_columns(int count) {
  if (!columns_.empty()) return;
  for (int i = 0; i < count; ++i) names_.emplace_back(PQfname(result_.get(), i));
  columns_.assign(names_.begin(), names_.end());
}

void PostgresStatement::take(PostgresResult result) {
  result_ = std::move(result);
  adopted_.reset();
  row_ = -1;
  note_columns(PQnfields(result_.get()));
}

// Its last column is the number of the key.
void PostgresStatement::adopt(std::shared_ptr<pg_result> result, std::vector<int> rows) {
  result_ = std::move(result);
  adopted_ = std::move(rows);
  adopted_taken_ = 0;
  is_sent_ = true;
  if (result_) note_columns(PQnfields(result_.get()) - 1);
}

// A query, or a change whose rows are counted.
std::int64_t PostgresStatement::execute() {
  if (connection_.foresight().is_looking()) throw internal::LookedAhead{};
  send(true);
  connection_.wait();
  const std::string_view count = PQcmdTuples(result_.get());
  const std::string_view tag = PQcmdStatus(result_.get());
  std::int64_t rows = 0;
  std::from_chars(count.data(), count.data() + count.size(), rows);
  if (tag.starts_with("SELECT")) return 0;
  connection_.writes_ += count.empty() ? 1 : rows;
  note_change();
  return rows;
}

bool PostgresStatement::next() {
  if (!is_sent_ && !connection_.foresight().answer(*this)) execute();
  FREEHOLD_ASSERT(result_ || adopted_, "rows are read after their statement was waited for");
  if (!adopted_) return ++row_ < PQntuples(result_.get());
  if (adopted_taken_ == adopted_->size()) return false;
  row_ = (*adopted_)[adopted_taken_++];
  return true;
}

void PostgresStatement::limit(std::size_t rows_max) {
  if (is_limited_) return;
  integer(static_cast<int>(parameters_.size()) + 1, static_cast<std::int64_t>(rows_max));
  is_limited_ = true;
}

void PostgresStatement::reset() {
  if (std::exchange(is_limited_, false)) parameters_.pop_back();
  result_.reset();
  adopted_.reset();
  is_sent_ = false;
  row_ = -1;
  for (Parameter& parameter : parameters_) parameter = {0, true, std::move(parameter.bytes)};
}

std::string_view PostgresStatement::bytes(int column) const {
  return {PQgetvalue(result_.get(), row_, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row_, column))};
}

void PostgresStatement::complain_of(int column) const {
  throw DatabaseFault(errors::internal,
                      "the column " + std::string{columns_[static_cast<std::size_t>(column)]} +
                          " has a type (" + std::to_string(PQftype(result_.get(), column)) +
                          ") that is not read here: cast it, in: " + text_);
}

bool PostgresStatement::is_null(int column) const {
  return PQgetisnull(result_.get(), row_, column) == 1;
}

std::int64_t PostgresStatement::integer(int column) const {
  switch (PQftype(result_.get(), column)) {
    case bigint_type:
      return std::bit_cast<std::int64_t>(big_endian<std::uint64_t>(bytes(column)));
    case integer_type:
      return std::bit_cast<std::int32_t>(big_endian<std::uint32_t>(bytes(column)));
    case smallint_type:
      return std::bit_cast<std::int16_t>(big_endian<std::uint16_t>(bytes(column)));
    case bool_type:
      return bytes(column)[0] != 0 ? 1 : 0;
    case numeric_type:
      if (const auto value = whole_numeric(bytes(column))) return *value;
      [[fallthrough]];
    default:
      complain_of(column);
  }
}

double PostgresStatement::real(int column) const {
  switch (PQftype(result_.get(), column)) {
    case double_type:
      return std::bit_cast<double>(big_endian<std::uint64_t>(bytes(column)));
    case float_type:
      return std::bit_cast<float>(big_endian<std::uint32_t>(bytes(column)));
    default:
      return static_cast<double>(integer(column));
  }
}

std::string_view PostgresStatement::text(int column) const {
  switch (PQftype(result_.get(), column)) {
    case bigint_type:
    case integer_type:
    case smallint_type:
    case bool_type:
    case numeric_type:
    case double_type:
    case float_type:
    case bytea_type:
      complain_of(column);
    case jsonb_type:
      return bytes(column).substr(1);  // behind its version
    default:
      return bytes(column);
  }
}

std::span<const std::uint8_t> PostgresStatement::blob(int column) const {
  const std::string_view all = bytes(column);
  return {reinterpret_cast<const std::uint8_t*>(all.data()), all.size()};
}

std::size_t PostgresStatement::row_bytes() const {
  std::size_t all = 0;
  for (int column = 0; column < PQnfields(result_.get()); ++column) {
    const unsigned type = PQftype(result_.get(), column);
    if (type == text_type || type == bytea_type) all += bytes(column).size();
  }
  return all;
}

}  // namespace freehold
