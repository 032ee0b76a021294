# SPDX-License-Identifier: Apache-2.0
"""The invariants of the design (section 6: 1, 2, 3, 5, 6, 7), checked in SQL over what has been
written since the last check. system_tests/checker reads every row into Python; here there are
millions. Ids and places grow with time, so what is new lies behind a mark.

It reads the databases themselves, read-only, while the shop is at rest.
"""

import json
import sqlite3
import uuid
from collections import Counter

SHOWN_MAX = 3  # violations of one kind


class Books:
    """The order's database is `main`, the product's `product`."""

    def __init__(self, connection):
        self._db = connection
        self._order_mark = bytes(16)
        self._places = {"main": 0, "product": 0}
        self._answer_mark = 0
        self._sold = Counter()
        self._versions = {}

    @classmethod
    def open(cls, order_file, product_file):
        connection = sqlite3.connect(f"file:{order_file}?mode=ro", uri=True, isolation_level=None)
        connection.execute("attach ? as product", (f"file:{product_file}?mode=ro",))
        return cls(connection)

    def close(self):
        self._db.close()

    # ---- looking

    def is_at_rest(self):
        """No saga is under way and every reader has read all."""
        return not self._value("select exists (select 1 from main.freehold_saga where ended = 0)") \
            and self._has_read_all("main", "product") and self._has_read_all("product", "main")

    def _has_read_all(self, reader, source):
        name = "order" if source == "main" else source
        head = self._head(source)
        return all(position == head for (position,) in self._rows(
            f"select position from {reader}.freehold_cursor where consumer like ?",
            "%@" + name))

    def _head(self, database):
        return self._value(f"select position from {database}.freehold_head where partition = 0")

    def orders(self):
        return self._value("select count(*) from main.customer_order")

    def shape(self):
        """What lies in each table of the order's and of the product's database."""
        return {(service, table): counts for service, database in
                (("order", "main"), ("product", "product"))
                for table, counts in shape(self._db, database).items()}

    def times_since_mark(self):
        """For each order since the mark that was confirmed: (placed, reserve appended, reply
        appended, confirmed), in microseconds."""
        def appended(database, kind):
            return dict(self._rows(
                "select json_extract('{' || json || '}', '$.subject'), appended "
                f"from {database}.freehold_event where place > ? and type = ?",
                self._places[database], kind))
        asked = appended("main", "product.reserve_stock.v1")
        answered = appended("product", "freehold.reply.v1")
        times = []
        for order, placed, settled in self._rows(
                "select id, placed_at, settled_at from main.customer_order "
                "where id > ? and status = 'confirmed'", self._order_mark):
            name = str(uuid.UUID(bytes=order))
            if name in asked and name in answered:
                times.append((placed, asked[name], answered[name], settled))
        return times

    # ---- checking

    def check(self, accepted, unanswered):
        """What does not hold, in words; then the mark is moved. `accepted`: the ids of the orders
        that clients were told of; `unanswered`: how many requests may have made another one."""
        found = (self._stock() + self._orders(accepted, unanswered) + self._sales() +
                 self._effects() + self._reservations() + self._logs() + self._versions_step() +
                 self._replica())
        self._order_mark = self._value(
            "select coalesce(max(id), ?) from main.customer_order", self._order_mark)
        self._answer_mark = self._value(
            "select coalesce(max(sequence), ?) from main.freehold_answer", self._answer_mark)
        for database in self._places:
            self._places[database] = self._head(database)
        return found

    def _stock(self):
        return self._violations(1, "stock of {} does not add up", """
            select hex(product_id) from product.stock left join
              (select product_id, sum(delta) as came from product.stock_adjustment group by 1)
              using (product_id)
            where on_hand + sold - returned <> coalesce(came, 0)
              or reserved < 0 or reserved > on_hand""")

    def _orders(self, accepted, unanswered):
        new = {row[0] for row in self._rows("select id from main.customer_order where id > ?",
                                            self._order_mark)}
        told = {uuid.UUID(order).bytes for order in accepted}
        found = []
        if len(told) < len(accepted):
            found.append(f"3: {len(accepted) - len(told)} orders were given to two keys")
        if told - new:
            found.append(f"2: {len(told - new)} accepted orders are lost")
        if len(new - told) > unanswered:
            found.append(f"3: {len(new - told)} orders more than were told, "
                         f"{unanswered} requests had no answer")
        found += self._violations(2, "order {} is {}", """
            select hex(id), status from main.customer_order where id > ?
              and status not in ('confirmed', 'rejected', 'cancelled')""", self._order_mark)
        found += self._violations(2, "saga {} is {}",
                                  "select id, status from main.freehold_saga where ended = 0")
        return found + self._violations(3, "key {} has {} orders", """
            select key, count(distinct location) from main.freehold_answer where sequence > ?
            group by scope, key having count(distinct location) > 1""", self._answer_mark)

    def _sales(self):
        """Sold is what the confirmed orders make, each counted once; the bench cancels none."""
        for product, quantity in self._rows("""
                select json_extract(line.value, '$.product_id'),
                  sum(json_extract(line.value, '$.quantity'))
                from main.customer_order, json_each(lines) as line
                where customer_order.id > ? and status = 'confirmed' group by 1""",
                                            self._order_mark):
            self._sold[uuid.UUID(product).bytes] += quantity
        wrong = [product for product, sold, returned in self._rows(
            "select product_id, sold, returned from product.stock")
            if sold != self._sold[product] or returned != 0]
        return [f"3: the orders do not make what is sold of {product.hex()}"
                for product in wrong[:SHOWN_MAX]]

    def _effects(self):
        found = self._violations(3, "{} was answered {} times", """
            select json_extract('{' || json || '}', '$.inreplyto') as request, count(*)
            from product.freehold_event where place > ? and type = 'freehold.reply.v1'
            group by 1 having count(*) > 1""", self._places["product"])
        found += self._violations(3, "{} of {} was sent {} times", """
            select type, json_extract('{' || json || '}', '$.subject') as subject, count(*)
            from main.freehold_event where place > ? group by 1, 2 having count(*) > 1""",
                                  self._places["main"])
        for database in self._places:
            found += self._violations(3, "{} of {} is set aside",
                                      f"select key, consumer from {database}.freehold_aside")
        return found

    def _reservations(self):
        found = self._violations(5, "units of {} stay reserved",
                                 "select hex(product_id) from product.stock where reserved <> 0")
        found += self._violations(5, "order {} is {}, its reservation {}", """
            select hex(o.id), o.status, coalesce(r.state, 'absent')
            from main.customer_order o left join product.reservation r on r.id = o.id
            where o.id > ? and case o.status when 'confirmed' then r.state is not 'sold'
              else coalesce(r.state, 'released') not in ('released', 'returned')
              end""", self._order_mark)
        def wanted(lines):
            return ("(select group_concat(line) from (select json_extract(value, '$.product_id') "
                    f"|| json_extract(value, '$.quantity') as line from json_each({lines}) "
                    "order by line))")
        found += self._violations(5, "reservation {} is not of its order's lines", f"""
            select hex(r.id) from product.reservation r join main.customer_order o on o.id = r.id
            where r.id > ? and r.state = 'sold' and
              {wanted("r.lines")} is not {wanted("o.lines")}""", self._order_mark)
        return found + self._violations(5, "reservation {} has no order", """
            select hex(id) from product.reservation r where id > ?
              and not exists (select 1 from main.customer_order where id = r.id)""",
                                        self._order_mark)

    def _logs(self):
        found = []
        for database, mark in self._places.items():
            head = self._head(database)
            low = max(mark, self._value(
                f"select low_position from {database}.freehold_head where partition = 0"))
            there = self._value(f"select count(*) from {database}.freehold_event "
                                "where place > ? and place <= ?", low, head)
            if there != head - low:
                found.append(f"6: the log of {database} is not dense from {low + 1} to {head}")
            other = "product" if database == "main" else "main"
            name = "order" if other == "main" else other
            found += self._violations(6, "cursor {} is at no place of its source", f"""
                select consumer from {database}.freehold_cursor c where consumer like ?
                  and position > 0 and not exists (select 1 from {other}.freehold_event e
                    where e.place = c.position and e.stamp = c.stamp)""", "%@" + name)
        return found

    def _versions_step(self):
        found = []
        for subject, text in self._rows(
                "select subject, json from product.freehold_event "
                "where place > ? and type = 'product.state.v1' order by place",
                self._places["product"]):
            version = json.loads("{" + text + "}")["data"]["version"]
            if version != self._versions.get(subject, version - 1) + 1:
                found.append(f"6: version {version} of {subject} follows "
                             f"{self._versions[subject]}")
            self._versions[subject] = version
        return found[:SHOWN_MAX]

    def _replica(self):
        columns = "id, name, price_amount_minor, price_currency, sale, version"
        source = f"select {columns} from product.product"
        copy = f"select {columns} from main.product_replica where freehold_deleted = 0"
        return [f"7: {count} products differ from their replica" for count in
                (self._value(f"select count(*) from ({one} except {other})")
                 for one, other in ((source, copy), (copy, source))) if count > 0]

    def _violations(self, invariant, words, query, *arguments):
        rows = self._db.execute(query, arguments).fetchmany(SHOWN_MAX)
        return [f"{invariant}: " + words.format(*row) for row in rows]

    def _rows(self, query, *arguments):
        return self._db.execute(query, arguments).fetchall()

    def _value(self, query, *arguments):
        return self._db.execute(query, arguments).fetchone()[0]


def shape(connection, database):
    """{table: (rows, characters in them)} of every table of an attached database."""
    found = {}
    for (table,) in connection.execute(
            f"select name from {database}.sqlite_master where type = 'table' and "
            "name not like 'sqlite%' and name not like 'product_search%'").fetchall():
        columns = [row[1] for row in connection.execute(
            f"select * from pragma_table_info('{table}', '{database}')")]
        lengths = " + ".join(f"coalesce(length({column}), 0)" for column in columns)
        found[table] = connection.execute(
            f"select count(*), coalesce(sum({lengths}), 0) from {database}.{table}").fetchone()
    return found
