# SPDX-License-Identifier: Apache-2.0
"""The books of a shop whose data is on PostgreSQL: what is new in it is copied into SQLite, as the
services' reader roles see it, and looked at there in the same words."""

import sqlite3
import subprocess

from books import Books

# What the books look at: the columns, those of bytes marked with '*', behind '=' what they are
# called or made of there, and which rows: "{place}", "{order}" and "{answer}" are the marks behind
# which all is new.
_OF_ANY = {
    "freehold_head": ("partition position low_position", ""),
    "freehold_cursor": ("consumer position stamp", ""),
    "freehold_aside": ("key consumer", ""),
    "freehold_event": ("place stamp appended type subject json", "place >= {place}"),
}
_OF_SERVICE = {
    "main": {
        **_OF_ANY,
        "customer_order": ("id* status lines placed_at settled_at", "id > {order}"),
        "freehold_saga": ("id status ended", "ended = 0"),
        "freehold_answer": ("sequence=at scope='' key*=digest location", "at > {answer}"),
        "product_replica": ("id* name price_amount_minor price_currency sale version "
                            "freehold_deleted", ""),
    },
    "product": {
        **_OF_ANY,
        "stock": ("product_id* on_hand reserved sold returned", ""),
        "stock_adjustment": ("product_id* delta", ""),
        "reservation": ("id* state lines", "id > {order}"),
        "product": ("id* name price_amount_minor price_currency sale version", ""),
    },
}
_AT_REST = ("freehold_head", "freehold_cursor", "freehold_saga")
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ROWS_AT_ONCE = 10_000


class PostgresBooks(Books):
    """`urls`: of the readers of `order` and `product`."""

    def __init__(self, urls):
        connection = sqlite3.connect(":memory:", isolation_level=None)
        connection.execute("attach ':memory:' as product")
        for database, tables in _OF_SERVICE.items():
            for table, (columns, _) in tables.items():
                names = ", ".join(_name(column) for column in columns.split())
                connection.execute(f"create table {database}.{table} ({names})")
            connection.execute(f"create index {database}.by_place on freehold_event (place)")
        connection.execute("create index main.orders on customer_order (id)")
        connection.execute("create index product.reservations on reservation (id)")
        connection.execute("create index product.adjustments on stock_adjustment (product_id)")
        super().__init__(connection)
        self._urls = {"main": urls["order"], "product": urls["product"]}

    def is_at_rest(self):
        self._copy(_AT_REST)
        return super().is_at_rest()

    def times_since_mark(self):
        self._copy()
        return super().times_since_mark()

    def check(self, accepted, unanswered):
        self._copy()
        return super().check(accepted, unanswered)

    def orders(self):
        return int(_ask(self._urls["main"], "select count(*) from customer_order"))

    def shape(self):
        return shape_on_server({"order": self._urls["main"], "product": self._urls["product"]})

    def _copy(self, tables=None):
        marks = {"order": f"'\\x{self._order_mark.hex()}'::bytea", "answer": self._answer_mark}
        for database, known in _OF_SERVICE.items():
            for table, (columns, where) in known.items():
                if tables is None or table in tables:
                    self._copy_table(database, table, columns.split(),
                                     where.format(**marks, place=self._places[database]))

    def _copy_table(self, database, table, columns, where):
        names = ", ".join(column.partition("=")[2] or _name(column) for column in columns)
        query = f"select {names} from {table}" + (f" where {where}" if where else "")
        self._db.execute(f"delete from {database}.{table}")
        insert = f"insert into {database}.{table} values ({', '.join('?' * len(columns))})"
        with subprocess.Popen(_psql(self._urls[database], f"copy ({query}) to stdout"),
                              stdout=subprocess.PIPE, text=True) as process:
            rows = []
            self._db.execute("begin")
            for line in process.stdout:
                rows.append(row_of(line, columns))
                if len(rows) == _ROWS_AT_ONCE:
                    self._db.executemany(insert, rows)
                    rows = []
            self._db.executemany(insert, rows)
            self._db.execute("commit")
        if process.returncode != 0:
            raise RuntimeError(f"psql could not copy {table} of {database}")



def shape_on_server(urls, run_as=()):
    """{(service, table): (rows, characters in them)} of the services' databases."""
    found = {}
    for service, url in urls.items():
        columns = {}
        for line in _ask(url, "select table_name, column_name from information_schema.columns "
                         "where table_schema = 'public' and table_name <> 'product_search' "
                         "and table_name not like 'freehold_answer\\_%'",
                         run_as).splitlines():
            table, column = line.split("|")
            columns.setdefault(table, []).append(f"coalesce(length({column}::text), 0)")
        counts = _ask(url, " union all ".join(
            f"select '{table}', count(*), coalesce(sum({' + '.join(lengths)}), 0) from {table}"
            for table, lengths in columns.items()), run_as)
        for line in counts.splitlines():
            table, rows, characters = line.split("|")
            found[service, table] = int(rows), int(characters)
    return found


def _ask(url, query, run_as=()):
    return subprocess.run([*run_as, *_psql(url, query)], stdout=subprocess.PIPE, text=True,
                          check=True, cwd="/").stdout


def _psql(url, query):
    return ["/usr/lib/postgresql/15/bin/psql", "--no-psqlrc", "--quiet", "--no-align",
            "--tuples-only", "--command", query, url]


def _name(column):
    return column.partition("=")[0].rstrip("*")


def row_of(line, columns):
    """A line of COPY's text format."""
    return [_bytes(text) if "*" in column else _value(text)
            for column, text in zip(columns, line[:-1].split("\t"))]


def _value(text):
    """What looks like a number of SQLite's is one: the same on both sides of a comparison."""
    if text == "\\N":
        return None
    if "\\" in text:
        return _unescaped(text)
    digits = text[1:] if text.startswith("-") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else text


def _bytes(text):
    return bytes.fromhex(text[3:])  # behind "\\x"


def _unescaped(text):
    parts = text.split("\\")
    out = [parts[0]]
    parts = iter(parts[1:])
    for part in parts:
        if part == "":  # a backslash, and what follows the next one as it stands
            out.append("\\" + next(parts, ""))
        else:
            out.append(_ESCAPED.get(part[0], part[0]) + part[1:])
    return "".join(out)
