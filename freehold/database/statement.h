// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "freehold/schema/row.h"

namespace freehold {

// One prepared statement of one connection: what a database driver implements. Parameters are bound
// through ParameterSink (numbered from 1), the current row is read through RowSource (columns
// numbered from 0). Used by the thread that runs the transaction, between begin and end of one use:
// bind, then next() until false, execute() or send(), then reset().
class SqlStatement : public ParameterSink, public RowSource {
 public:
  using ParameterSink::blob, ParameterSink::integer, ParameterSink::real, ParameterSink::text;
  using RowSource::blob, RowSource::integer, RowSource::real, RowSource::text;

  virtual bool next() = 0;             // the next row; false after the last
  virtual void reset() = 0;            // ends this use, frees its bindings
  virtual std::int64_t execute() = 0;  // runs to the end; returns the rows changed
  // Runs at the latest before the next statement whose outcome is waited for, in the order of the
  // calls. If it fails, it is that one that throws, or the commit.
  virtual void send() { execute(); }
  // Whether it changes exactly one row. May assume so; if it was not so, the transaction's end, or
  // a wait before it, has the lane run all of it again, in a way in which it is known.
  virtual bool change_one() { return execute() == 1; }
  // Says that it will be asked.
  virtual void foresee() {}
  virtual std::span<const std::string_view> columns() const = 0;
  virtual std::size_t row_bytes() const = 0;  // of the current row's texts and blobs
  // No more than so many rows of this use will be asked for, so none after them need be fetched.
  virtual void limit(std::size_t) {}

  // The column of each member of the row type last asked for; filled once by columns_of<Row>().
  std::vector<int> column_of_member;
  const void* row_type = nullptr;
};

}  // namespace freehold
