# SPDX-License-Identifier: Apache-2.0
"""A customer orders, follows the order, and cancels it."""

import threading

from system_tests.journeys.journey import Journey
from system_tests.running.api import Api, EventStream, expect, new_key


class Order(Journey):
    def test_an_order_is_confirmed_and_the_stock_falls_by_its_quantity(self):
        product = self.product(10, price_minor=250)
        answer = self.customer.place([(product, 3)], wait_s=20)
        order = expect(201, answer)
        self.assertEqual((order["status"], order["reason"]), ("confirmed", None))
        self.assertEqual(answer.headers["Location"], f"/api/orders/{order['id']}")
        self.assertEqual(self.available(product), 7)
        self.until_stock(product, on_hand=7, reserved=0, sold=3, returned=0)

    def test_an_order_has_what_the_api_promises(self):
        product = self.product(10, price_minor=250, name="Tea")
        order = self.order(self.confirmed_order(product, 3)["id"])
        self.assertLessEqual({"id", "status", "reason", "lines", "total", "placed_at", "history"},
                             order.keys())
        line = order["lines"][0]
        self.assertEqual({name: line[name] for name in (
            "product_id", "name", "quantity", "unit_price_minor", "line_total_minor")}, {
                "product_id": product, "name": "Tea", "quantity": 3, "unit_price_minor": 250,
                "line_total_minor": 750})
        self.assertEqual(order["total"], {"amount_minor": 750, "currency": "EUR"})
        self.assertEqual([change["status"] for change in order["history"]],
                         ["pending", "confirmed"])

    def test_the_price_is_that_of_the_time_of_the_order(self):
        product = self.product(10, price_minor=100)
        before = self.confirmed_order(product)
        expect(200, self.admin.patch(f"/api/products/{product}", headers={"If-Match": '"1"'},
                                     body={"price": {"amount_minor": 999, "currency": "EUR"}}))
        self.assertEqual(self.order(before["id"])["total"]["amount_minor"], 100)

    def test_without_a_preference_the_answer_is_202_at_once(self):
        answer = self.customer.place([(self.product(1), 1)])
        order = expect(202, answer)
        self.assertEqual(order["status"], "pending")
        self.assertEqual(answer.headers["Location"], f"/api/orders/{order['id']}")
        self.until_status(order["id"], "confirmed")

    def test_an_order_for_more_than_there_is_is_rejected_and_reserves_nothing(self):
        scarce, plenty = self.product(2), self.product(100)
        order = expect(201, self.customer.place([(plenty, 5), (scarce, 3)], wait_s=20))
        self.assertEqual((order["status"], order["reason"]), ("rejected", "out_of_stock"))
        for product, stock in ((scarce, 2), (plenty, 100)):
            self.assertEqual(self.stock(product), {"on_hand": stock, "reserved": 0, "sold": 0,
                                                   "available": stock, "returned": 0})

    def test_lines_of_one_product_count_together(self):
        product = self.product(3)
        order = expect(201, self.customer.place([(product, 2), (product, 2)], wait_s=20))
        self.assertEqual((order["status"], order["reason"]), ("rejected", "out_of_stock"))

    def test_what_cannot_be_ordered_is_refused_and_named(self):
        product, coins = self.product(5), self.product(5, currency="USD")
        for lines, status, code in (
                ([], 400, "order/malformed_order"),
                ([(product, 0)], 400, "order/malformed_order"),
                ([(product, -1)], 400, "order/malformed_order"),
                ([("01a20480-0000-7000-8000-000000000000", 1)], 404, "product/unknown_product"),
                ([(product, 1), (coins, 1)], 422, "order/mixed_currencies")):
            with self.subTest(lines):
                self.assert_problem(self.customer.place(lines), status, code)

    def test_orders_are_for_those_who_are_logged_in(self):
        nobody = Api(self.shop.port)
        self.assert_problem(nobody.place([(self.product(1), 1)]), 401, "freehold/unauthenticated")
        self.assert_problem(nobody.get("/api/orders"), 401, "freehold/unauthenticated")

    def test_an_order_of_somebody_else_is_not_there(self):
        order = self.confirmed_order(self.product(5))
        other = self.somebody()
        for method, path in (("GET", ""), ("POST", "/cancellation"), ("GET", "/events")):
            answer = other.ask(method, f"/api/orders/{order['id']}{path}")
            self.assert_problem(answer, 404, "order/unknown_order")
        self.assertEqual(expect(200, other.get("/api/orders"))["items"], [])
        self.assertEqual(self.order(order["id"], self.admin)["id"], order["id"])

    def test_a_customer_lists_the_own_orders_newest_first_page_by_page(self):
        customer, product = self.somebody(), self.product(10)
        placed = [self.confirmed_order(product, 1, customer)["id"] for _ in range(5)]
        first = expect(200, customer.get("/api/orders?limit=3"))
        second = expect(200, customer.get(f"/api/orders?limit=3&after={first['next']}"))
        self.assertEqual([order["id"] for order in first["items"] + second["items"]], placed[::-1])
        self.assertIsNone(second["next"])


class Cancellation(Journey):
    def test_cancelling_gives_the_stock_back_and_twice_is_once(self):
        product = self.product(5)
        order = self.confirmed_order(product, 2)
        for _ in range(2):
            self.assertEqual(self.customer.cancel(order["id"]).status, 202)
        cancelled = self.until_status(order["id"], "cancelled")
        self.assertEqual([change["status"] for change in cancelled["history"]],
                         ["pending", "confirmed", "cancelled"])
        self.until_stock(product, on_hand=5, reserved=0, available=5, sold=2, returned=2)
        self.assertEqual(self.customer.cancel(order["id"]).status, 202)

    def test_a_rejected_order_cannot_be_cancelled(self):
        order = expect(201, self.customer.place([(self.product(0), 1)], wait_s=20))
        self.assert_problem(self.customer.cancel(order["id"]), 409, "order/already_rejected")

    def test_an_order_that_does_not_exist_cannot_be_cancelled(self):
        self.assert_problem(self.customer.cancel("01a20480-0000-7000-8000-000000000000"), 404,
                            "order/unknown_order")

    def test_a_cancellation_right_after_the_order_ends_cancelled_with_all_stock_back(self):
        product = self.product(1)
        for _ in range(20):
            order = expect(202, self.customer.place([(product, 1)]))
            self.assertEqual(self.customer.cancel(order["id"]).status, 202)
            self.until_status(order["id"], "cancelled")
            self.until_stock(product, on_hand=1, reserved=0)


class Idempotency(Journey):
    def test_the_same_key_gets_the_same_answer_and_one_order(self):
        customer, product, key = self.somebody(), self.product(10), new_key()
        first = expect(202, customer.place([(product, 2)], key))
        again = customer.place([(product, 2)], key)
        self.assertEqual(expect(202, again)["id"], first["id"])
        self.assertEqual(again.headers["Idempotency-Replayed"], "true")
        self.assertEqual(len(expect(200, customer.get("/api/orders"))["items"]), 1)
        self.until_status(first["id"], "confirmed", customer)
        self.assertEqual(self.available(product), 8)

    def test_another_payload_under_the_same_key_is_refused(self):
        product, key = self.product(10), new_key()
        expect(202, self.customer.place([(product, 1)], key))
        self.assert_problem(self.customer.place([(product, 2)], key), 422,
                            "freehold/idempotency_key_reused")

    def test_an_order_without_a_key_is_refused(self):
        answer = self.customer.post("/api/orders", {
            "lines": [{"product_id": self.product(1), "quantity": 1}], "delivery_address": "x"})
        self.assert_problem(answer, 400, "freehold/idempotency_key_required")

    def test_two_at_once_under_one_key_are_one_order(self):
        customer, product = self.somebody(), self.product(100)
        for _ in range(10):
            key, answers, together = new_key(), [], threading.Barrier(2)

            def place(key=key, answers=answers, together=together):
                api = Api(self.shop.port, customer.token)
                together.wait()
                answers.append(api.place([(product, 1)], key, wait_s=20))

            threads = [threading.Thread(target=place) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(len({answer.json["id"] for answer in answers}), 1, answers)
        self.assertEqual(len(expect(200, customer.get("/api/orders"))["items"]), 10)
        self.assertEqual(self.available(product), 90)

    def test_the_same_key_of_somebody_else_is_another_order(self):
        product, key = self.product(10), new_key()
        mine = expect(202, self.customer.place([(product, 1)], key))
        theirs = expect(202, self.somebody().place([(product, 1)], key))
        self.assertNotEqual(mine["id"], theirs["id"])


class Events(Journey):
    def follow(self, order_id, last_event_id=None):
        stream = EventStream(self.customer, f"/api/orders/{order_id}/events", last_event_id)
        self.addCleanup(stream.close)
        self.assertEqual(stream.response.status, 200)
        self.assertTrue(stream.response.headers["Content-Type"].startswith("text/event-stream"))
        return stream

    def test_the_state_comes_first_and_then_each_change_until_the_end(self):
        order = self.confirmed_order(self.product(5))
        stream = self.follow(order["id"])
        first = stream.next()
        self.assertEqual((first["id"], first["data"]["status"]), ("1", "confirmed"))
        self.customer.cancel(order["id"])
        second = stream.next()
        self.assertEqual((second["id"], second["data"]["status"]), ("2", "cancelled"))
        self.assertIsNone(stream.next())

    def test_who_was_away_is_told_what_was_missed(self):
        order = self.confirmed_order(self.product(5))
        self.customer.cancel(order["id"])
        self.until_status(order["id"], "cancelled")
        stream = self.follow(order["id"], last_event_id="0")
        self.assertEqual([stream.next()["data"]["status"] for _ in range(2)],
                         ["confirmed", "cancelled"])
        self.assertIsNone(stream.next())
