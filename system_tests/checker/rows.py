# SPDX-License-Identifier: Apache-2.0
"""Rows of a service's database in one snapshot, whichever kind of database it is: the answers to
the queries, in their order, each a list of tuples. A query is a text, or one for each kind."""

import json
import sqlite3

_END = "-- the end of one answer --"


def rows_of_file(path, queries):
    """Of a SQLite file that nobody writes to."""
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    try:
        return [database.execute(_text(query, "sqlite")).fetchall() for query in queries]
    finally:
        database.close()


def rows_of_server(server, database, queries):
    """Of a database on a PostgreSQL server, as its superuser. Binary values are bytes here, too."""
    script = [f"\\connect {database}", "begin isolation level repeatable read read only;"]
    for query in queries:
        script += [f"select row_to_json(answer) from ({_text(query, 'postgres')}) as answer;",
                   f"\\echo '{_END}'"]
    answers = server.run("\n".join(script)).split(_END + "\n")
    return [[tuple(_value(member) for member in json.loads(line).values())
             for line in answer.splitlines()] for answer in answers[:-1]]


def _text(query, kind):
    return query if isinstance(query, str) else query[kind]


def _value(member):
    if isinstance(member, str) and member.startswith("\\x"):
        return bytes.fromhex(member[2:])
    return member
