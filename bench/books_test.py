# SPDX-License-Identifier: Apache-2.0
"""The checker sees what is wrong: the books of a small shop, each time wrong in one way."""

import json
import sqlite3
import unittest
import uuid

from books import Books
from loads import differences, median_of, per_order
from postgres_books import row_of

BOOKS = """
create table {0}.freehold_head (partition, position, low_position);
create table {0}.freehold_event (place integer primary key, stamp, appended, type, subject, json);
create table {0}.freehold_cursor (consumer, position, stamp);
create table {0}.freehold_aside (consumer, key);
create table {0}.freehold_saga (id, status, ended);
create table {0}.freehold_answer (sequence integer primary key, scope, key, location);
"""
ORDER = """
create table customer_order (id blob primary key, status, lines, placed_at, settled_at);
create table product_replica (id blob primary key, name, price_amount_minor, price_currency, sale,
  version, freehold_deleted);
"""
PRODUCT = """
create table product.product (id blob primary key, name, price_amount_minor, price_currency, sale,
  version);
create table product.stock (product_id blob primary key, on_hand, reserved, sold, returned);
create table product.stock_adjustment (product_id, delta);
create table product.reservation (id blob primary key, state, lines);
"""
TEA = uuid.UUID(int=7)


def order_id(number):
    return uuid.UUID(int=1000 + number)


def lines(quantity):
    return json.dumps([{"product_id": str(TEA), "quantity": quantity}])


class Invariants(unittest.TestCase):
    """Ten units of tea came. Order 1 bought 3, order 2 asked for too many."""

    def setUp(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.execute("attach ':memory:' as product")
        for script in (BOOKS.format("main"), BOOKS.format("product"), ORDER, PRODUCT):
            self.db.executescript(script)
        self.add("main.product_replica", TEA.bytes, "Tea", 250, "EUR", "on_sale", 1, 0)
        self.add("product.product", TEA.bytes, "Tea", 250, "EUR", "on_sale", 1)
        self.add("product.stock", TEA.bytes, 10, 0, 0, 0)
        self.add("product.stock_adjustment", TEA.bytes, 10)
        self.event("product", "product.state.v1", TEA, data={"version": 1}, state=True)
        self.books = Books(self.db)
        self.place(1, 3, "confirmed")
        self.place(2, 99, "rejected")
        self.change("update product.stock set on_hand = 7, sold = 3")
        self.told = [str(order_id(1)), str(order_id(2))]
        for database in ("main", "product"):
            self.set_head(database)
        self.add("main.freehold_cursor", "sagas@product", 3, 3)
        self.add("product.freehold_cursor", "commands@order", 3, 3)

    def add(self, table, *values):
        marks = ", ".join("?" for _ in values)
        self.db.execute(f"insert into {table} values ({marks})", values)

    def change(self, statement, *values):
        self.assertGreater(self.db.execute(statement, values).rowcount, 0, statement)

    def event(self, database, kind, subject, state=False, **members):
        place = self.db.execute(
            f"select coalesce(max(place), 0) + 1 from {database}.freehold_event").fetchone()[0]
        text = json.dumps({"subject": str(subject), **members})[1:-1]
        self.add(f"{database}.freehold_event", place, place, place * 100, kind,
                 str(subject) if state else None, text)

    def set_head(self, database):
        self.db.execute(f"delete from {database}.freehold_head")
        self.db.execute(f"insert into {database}.freehold_head select 0, max(place), 0 "
                        f"from {database}.freehold_event")

    def place(self, number, quantity, status):
        id = order_id(number)
        self.add("main.customer_order", id.bytes, status, lines(quantity), number, number + 1)
        self.add("main.freehold_answer", number, "somebody", f"key-{number}", f"/{id}")
        self.event("main", "product.reserve_stock.v1", id)
        self.event("product", "freehold.reply.v1", id, inreplyto=f"place_order.v1/{id}/1")
        if status == "confirmed":
            self.event("main", "product.sell_stock.v1", id)
            self.add("product.reservation", id.bytes, "sold", lines(quantity))

    def check(self, unanswered=0):
        return self.books.check(self.told, unanswered)

    def assert_found(self, words):
        found = self.check()
        self.assertTrue(any(words in violation for violation in found), found)

    def test_right_books_have_no_violation(self):
        self.assertTrue(self.books.is_at_rest())
        self.assertEqual(self.check(), [])

    def test_what_was_checked_is_not_checked_again_and_what_is_new_is(self):
        self.check()
        self.told = []
        self.assertEqual(self.check(), [])
        self.place(3, 1, "confirmed")
        self.set_head("main"), self.set_head("product")
        self.assert_found("the orders do not make what is sold")

    def test_times_are_those_of_new_confirmed_orders(self):
        self.assertEqual(self.books.times_since_mark(), [(1, 100, 200, 2)])
        self.check()
        self.assertEqual(self.books.times_since_mark(), [])

    def test_1_units_that_vanish_are_seen(self):
        self.change("update product.stock set on_hand = 6")
        self.assert_found("1: stock of")

    def test_2_a_lost_order_is_seen(self):
        self.told.append(str(order_id(9)))
        self.assert_found("2: 1 accepted orders are lost")

    def test_2_an_order_without_an_end_is_seen(self):
        self.change("update customer_order set status = 'pending' where status = 'rejected'")
        self.assert_found("is pending")

    def test_2_a_saga_without_an_end_is_seen(self):
        self.add("main.freehold_saga", "place_order.v1/1", "parked", 0)
        self.assertFalse(self.books.is_at_rest())
        self.assert_found("2: saga place_order.v1/1 is parked")

    def test_3_an_order_too_many_is_seen_unless_a_request_had_no_answer(self):
        self.told.pop()
        self.assertEqual(self.check(unanswered=1), [])
        self.setUp()
        self.told.pop()
        self.assert_found("3: 1 orders more than were told")

    def test_3_one_order_for_two_keys_is_seen(self):
        self.told.append(self.told[0])
        self.assert_found("3: 1 orders were given to two keys")

    def test_3_a_second_order_of_one_key_is_seen(self):
        self.change("update freehold_answer set key = 'key-1'")
        self.assert_found("3: key key-1 has 2 orders")

    def test_3_a_sale_that_was_booked_twice_is_seen(self):
        self.change("update product.stock set on_hand = 4, sold = 6")
        self.assert_found("3: the orders do not make")

    def test_3_a_second_answer_to_one_command_is_seen(self):
        self.event("product", "freehold.reply.v1", order_id(1),
                   inreplyto=f"place_order.v1/{order_id(1)}/1")
        self.set_head("product")
        self.assert_found("was answered 2 times")

    def test_3_a_command_that_was_sent_twice_is_seen(self):
        self.event("main", "product.sell_stock.v1", order_id(1))
        self.set_head("main")
        self.assert_found("was sent 2 times")

    def test_3_what_is_set_aside_is_seen(self):
        self.add("product.freehold_aside", "commands@order", "a")
        self.assert_found("is set aside")

    def test_5_units_that_stay_reserved_are_seen(self):
        self.change("update product.stock set reserved = 1")
        self.assert_found("5: units of")

    def test_5_a_confirmed_order_that_holds_nothing_is_seen(self):
        self.change("delete from product.reservation")
        self.assert_found("its reservation absent")

    def test_5_a_rejected_order_that_holds_something_is_seen(self):
        self.add("product.reservation", order_id(2).bytes, "held", lines(99))
        self.assert_found("its reservation held")

    def test_5_a_reservation_of_other_units_is_seen(self):
        self.change("update product.reservation set lines = ?", lines(2))
        self.assert_found("5: reservation")

    def test_5_a_reservation_of_nobody_is_seen(self):
        self.add("product.reservation", order_id(5).bytes, "held", lines(1))
        self.assert_found("has no order")

    def test_6_a_gap_in_a_log_is_seen(self):
        self.change("delete from product.freehold_event where place = 2")
        self.assert_found("6: the log of product is not dense")

    def test_6_a_cursor_of_another_history_is_seen(self):
        self.change("update product.freehold_cursor set stamp = 99")
        self.assert_found("6: cursor commands@order is at no place")

    def test_6_a_version_that_is_left_out_is_seen(self):
        self.event("product", "product.state.v1", TEA, data={"version": 3}, state=True)
        self.set_head("product")
        self.assert_found("6: version 3")

    def test_7_a_replica_that_differs_is_seen(self):
        self.change("update product_replica set version = 2")
        self.assert_found("7: 1 products differ")


class Comparing(unittest.TestCase):
    def test_a_ceiling_that_writes_other_rows_is_seen(self):
        before = {("order", "a"): (5, 50), ("order", "still"): (9, 9)}
        shop = per_order(before, {("order", "a"): (25, 2050), ("order", "still"): (9, 9)}, 10)
        self.assertEqual(shop, {("order", "a"): (2, 200)})
        self.assertEqual(differences(shop, {("order", "a"): (2.0, 191)}), [])
        self.assertIn("2.00 rows", differences(shop, {("order", "a"): (1.0, 200)})[0])
        self.assertIn("200 characters", differences(shop, {("order", "a"): (2.0, 189)})[0])
        self.assertIn("order.b", differences(shop, {**shop, ("order", "b"): (1, 1)})[0])

    def test_what_postgresql_copies_out_is_read_as_it_is_there(self):
        line = "\\\\x01a2\t1764000000000001\t-7\t\\N\ta\\tb\\\\n\\nc\t\n"
        self.assertEqual(row_of(line, ["id*", "at", "delta", "why", "text", "empty"]),
                         [b"\x01\xa2", 1764000000000001, -7, None, "a\tb\\n\nc", ""])

    def test_the_median_is_of_each_figure_and_the_spread_of_the_first(self):
        middle = median_of([{"rate": rate, "p99": p99} for rate, p99 in
                            ((100, 3), (80, 9), (120, 1))])
        self.assertEqual(middle, {"rate": 100, "p99": 3, "spread": 0.4})


if __name__ == "__main__":
    unittest.main()
