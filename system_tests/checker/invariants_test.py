# SPDX-License-Identifier: Apache-2.0
"""The checker sees what is wrong: the books of a small shop, each time wrong in one way."""

import unittest
from dataclasses import replace

from system_tests.checker.books import (Cursor, Event, Line, Log, Order, OrderBooks, Product,
                                        ProductBooks, Stock)
from system_tests.checker.invariants import check_all
from system_tests.checker.rest import is_at_rest

TEA = Product("tea", "Tea", 250, "EUR", "on_sale", 2)


def line(quantity, version=1):
    return Line("tea", quantity, 250, 250 * quantity, version)


def state(position, version):
    return Event(position, 70 + position, "product.state.v1", "tea", None, {"version": version})


def reply(position, to):
    return Event(position, 70 + position, "freehold.reply.v1", to, f"place_order.v1/{to}/1", {})


def command(position, kind, order):
    return Event(position, 80 + position, f"product.{kind}.v1", order, None, {})


class Invariants(unittest.TestCase):
    """Ten units of tea came. Order a bought 3, b asked for too many, c bought 2 and gave them back,
    d was cancelled before it was confirmed."""

    def setUp(self):
        self.product = ProductBooks(
            Log("P", head=6, events=[state(1, 1), reply(2, "a"), reply(3, "b"), reply(4, "c"),
                                     state(5, 2), reply(6, "d")],
                cursors={"commands@order": Cursor("commands@order", 8, 88)}),
            {"tea": TEA}, {"tea": Stock("tea", on_hand=7, reserved=0, sold=5, returned=2,
                                          withdrawn=0)},
            {"tea": 10},
            {"a": ("sold", {"tea": 3}), "c": ("released", {"tea": 2}),
             "d": ("released", {"tea": 1})})
        kinds = [("reserve_stock", "a"), ("sell_stock", "a"), ("reserve_stock", "b"),
                 ("reserve_stock", "c"), ("sell_stock", "c"), ("release_stock", "c"),
                 ("reserve_stock", "d"), ("release_stock", "d")]
        self.order = OrderBooks(
            Log("O", head=8, events=[command(n, *kind) for n, kind in enumerate(kinds, 1)],
                cursors={name: Cursor(name, 6, 76) for name in ("product_replica@product",
                                                                "sagas@product")}),
            {"a": Order("a", "confirmed", [line(3)]), "b": Order("b", "rejected", [line(99)]),
             "c": Order("c", "cancelled", [line(2)]),
             "d": Order("d", "cancelled", [line(1, version=2)], settled=False)},
            {"tea": TEA}, [("somebody", f"key-{id}", id) for id in "abcd"])
        self.accepted = {f"key-{id}": id for id in "abcd"}

    def check(self):
        return check_all(self.product, self.order, self.accepted)

    def assert_found(self, invariant, words):
        found = self.check()
        self.assertTrue(any(violation.invariant == invariant and words in violation.what
                            for violation in found), found)

    def stock(self, **changes):
        self.product.stocks["tea"] = self.product.stocks["tea"]._replace(**changes)

    def change_order(self, order_id, **changes):
        self.order.orders[order_id] = replace(self.order.orders[order_id], **changes)

    def test_right_books_have_no_violation(self):
        self.assertEqual(self.check(), [])

    def test_no_shop_is_at_rest_before_everybody_has_read_everything(self):
        self.assertTrue(is_at_rest(self.product, self.order))
        for books in (self.product, self.order):
            for name, cursor in list(books.log.cursors.items()):
                del books.log.cursors[name]  # it has not begun to read
                self.assertFalse(is_at_rest(self.product, self.order), name)
                books.log.cursors[name] = cursor._replace(position=cursor.position - 1)
                self.assertFalse(is_at_rest(self.product, self.order), name)
                books.log.cursors[name] = cursor

    def test_1_units_that_vanish_are_seen(self):
        self.stock(on_hand=6)
        self.assert_found(1, "10 units came, 9 are accounted for")

    def test_1_units_that_come_from_nowhere_are_seen(self):
        self.product.adjusted["tea"] = 9
        self.assert_found(1, "accounted for")

    def test_1_more_reserved_than_there_are_is_seen(self):
        self.stock(reserved=8)
        self.assert_found(1, "not between 0 and on_hand")

    def test_1_overselling_is_seen(self):
        self.stock(on_hand=-1, sold=13)
        self.assert_found(1, "oversold")

    def test_2_a_lost_order_is_seen(self):
        del self.order.orders["b"]
        self.assert_found(2, "order b was accepted under key-b and is lost")

    def test_2_an_order_without_an_end_is_seen(self):
        self.change_order("b", status="pending")
        self.assert_found(2, "order b is pending")

    def test_2_a_saga_without_an_end_is_seen(self):
        self.order.live_sagas = [("place_order.v1/b", "parked", "a fault")]
        self.assert_found(2, "saga place_order.v1/b is parked a fault")

    def test_3_a_sale_that_was_booked_twice_is_seen(self):
        self.stock(on_hand=4, sold=8)
        self.assert_found(3, "8 units are sold, the orders make 5")

    def test_3_a_return_that_was_not_booked_is_seen(self):
        self.stock(on_hand=5, returned=0)
        self.assert_found(3, "0 units are returned, the orders make 2")

    def test_3_a_second_answer_to_one_command_is_seen(self):
        self.product.log.events[5] = reply(6, "a")
        self.assert_found(3, "place_order.v1/a/1 was answered 2 times")

    def test_3_a_command_that_was_sent_twice_is_seen(self):
        self.order.log.events[7] = command(8, "release_stock", "c")
        self.assert_found(3, "product.release_stock.v1 of c was sent 2 times")

    def test_3_a_second_order_of_one_key_is_seen(self):
        self.order.orders["e"] = Order("e", "rejected", [line(1)])
        self.assert_found(3, "order e is one more")
        self.order.answers.append(("somebody", "key-b", "e"))
        self.assert_found(3, "has 2 orders: ['b', 'e']")

    def test_3_one_order_for_two_keys_is_seen(self):
        self.accepted["key-e"] = "a"
        self.assert_found(3, "order a was given to 2 keys")

    def test_3_what_waits_for_a_person_is_seen(self):
        self.product.log.aside = [("commands@order", "a", "a fault")]
        self.assert_found(3, "product has set aside")

    def test_5_units_that_stay_reserved_are_seen(self):
        self.stock(reserved=2)
        self.assert_found(5, "units stay reserved")

    def test_5_a_failed_order_that_holds_something_is_seen(self):
        self.product.reservations["b"] = ("held", {"tea": 99})
        self.assert_found(5, "order b is rejected, its reservation held")

    def test_5_a_confirmed_order_that_holds_nothing_is_seen(self):
        del self.product.reservations["a"]
        self.assert_found(5, "order a is confirmed, its reservation absent")

    def test_5_a_reservation_of_other_units_is_seen(self):
        self.product.reservations["a"] = ("sold", {"tea": 2})
        self.assert_found(5, "order a is of {'tea': 3}, its reservation of {'tea': 2}")

    def test_5_a_reservation_of_nobody_is_seen(self):
        self.product.reservations["e"] = ("held", {"tea": 1})
        self.assert_found(5, "reservation e is held and has no order")

    def test_6_a_gap_in_a_log_is_seen(self):
        del self.order.log.events[3]
        self.assert_found(6, "order's log is not dense from 1 to 8")

    def test_6_a_version_that_is_left_out_or_comes_twice_is_seen(self):
        for version in (1, 3):
            self.product.log.events[4] = state(5, version)
            self.assert_found(6, f"product tea: version {version} follows 1")

    def test_6_a_reader_that_stepped_back_is_seen(self):
        self.change_order("b", lines=[line(99, version=2)])
        self.assert_found(6, "order c saw version 1 of tea after 2")

    def test_6_a_cursor_beyond_its_log_is_seen(self):
        self.order.log.cursors["sagas@product"] = Cursor("sagas@product", 7, 77)
        self.assert_found(6, "beyond product's head 6")

    def test_6_a_cursor_of_another_history_is_seen(self):
        self.order.log.cursors["sagas@product"] = Cursor("sagas@product", 6, 99)
        self.assert_found(6, "is no place of product's log")

    def test_7_a_copy_that_differs_is_seen(self):
        self.order.replica["tea"] = TEA._replace(version=1)
        self.assert_found(7, "the copy")

    def test_7_a_copy_that_is_missing_or_too_much_is_seen(self):
        self.order.replica["salt"] = TEA._replace(id="salt")
        self.assert_found(7, "is not None")
        del self.order.replica["salt"], self.order.replica["tea"]
        self.assert_found(7, "the copy None")

    def test_7_a_stock_that_missed_a_withdrawal_is_seen(self):
        self.product.products["tea"] = self.order.replica["tea"] = TEA._replace(sale="withdrawn")
        self.assert_found(7, "its product is withdrawn")
        self.stock(withdrawn=1)
        self.assertEqual(self.check(), [])
