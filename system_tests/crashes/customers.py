# SPDX-License-Identifier: Apache-2.0
"""Customers who order and cancel without end, and never give up on an order that they began: each
request is repeated, under its idempotency key, until it has an answer."""

import random
import threading
import time
from collections import Counter

from system_tests.running.api import Api, expect, new_key
from system_tests.running.services import answered
from system_tests.running.whole_shop import make_product

PRODUCTS = 8
PASSING = 24  # more of them, which are withdrawn one by one
STOCK = 150  # of each, at first; so that some orders find none
ANSWERED_WITHIN_S = 10
WANTED_FOR_S = 2  # at most, after a product was withdrawn


class Customers:
    """Begins with a catalogue; run() lets the customers shop until `finished` is set."""

    def __init__(self, services, count):
        self._services = services
        self._admin_token = services.admin()
        admin = self._admin()
        self.products = [make_product(admin, STOCK)["id"] for _ in range(PRODUCTS)]
        self.passing = [make_product(admin, STOCK)["id"] for _ in range(PASSING)]
        self._tokens = [services.customer() for _ in range(count)]
        self.accepted = {}  # idempotency key → order
        self.answers = Counter()
        self.failures = []
        self.finished = threading.Event()
        self._threads = [threading.Thread(target=self._guard, args=(self._shop, token))
                         for token in self._tokens]
        self._threads.append(threading.Thread(target=self._guard, args=(self._keep_shop,)))

    def start(self):
        for thread in self._threads:
            thread.start()

    def stop(self):
        """Returns when each customer has an answer to the last request."""
        self.finished.set()
        for thread in self._threads:
            thread.join()

    def _guard(self, work, *arguments):
        try:
            while not self.finished.is_set():
                work(*arguments)
        except Exception as failure:  # told by the test, which waits for us
            self.failures.append(repr(failure))
            self.finished.set()

    def _admin(self):
        return Api(self._services.port_of("product"), self._admin_token)

    def _shop(self, token):
        """One order, of one or two products, and perhaps its cancellation; each try goes to any
        instance."""
        apis = [Api(port, token, timeout_s=ANSWERED_WITHIN_S)
                for port in self._services.ports("order")]
        key, wait_s = new_key(), random.choice((0, 0, 2))
        lines = [(product, random.randint(1, 2))
                 for product in random.sample(self.products + self.passing[:2],
                                              random.choice((1, 2)))]
        placed = answered(lambda: random.choice(apis).place(lines, key, wait_s), "an order")
        self.answers[placed.status] += 1
        if placed.status == 422 and placed.json["code"] == "product/product_withdrawn":
            return
        if placed.status not in (201, 202):
            raise AssertionError(f"an order was answered with {placed}")
        self.accepted[key] = placed.json["id"]
        if random.random() < 0.4:
            answer = answered(lambda: random.choice(apis).cancel(placed.json["id"]),
                              "a cancellation")
            self.answers[f"cancellation {answer.status}"] += 1
            if answer.status not in (202, 409):
                raise AssertionError(f"a cancellation was answered with {answer}")

    def _keep_shop(self):
        """An administrator: new names, so that versions move, new units, and the withdrawal of a
        product that customers still want, until one was refused it."""
        admin = self._admin()
        for product in self.products:
            renamed = answered(lambda product=product: admin.patch(
                f"/api/products/{product}", {"name": f"Thing {new_key()}"},
                headers={"If-Match": "*"}), "a new name")
            expect(200, renamed)
            expect(201, answered(lambda product=product: admin.post(
                f"/api/products/{product}/stock-adjustments",
                {"delta": random.randint(1, 9), "reason": "a delivery"}), "a delivery"))
            if self.finished.wait(0.1):
                return
        if self.passing:
            refused = self.answers[422]
            expect(204, answered(lambda: admin.delete(f"/api/products/{self.passing[0]}"),
                                 "a withdrawal"))
            end = time.monotonic() + WANTED_FOR_S
            while self.answers[422] == refused and time.monotonic() < end:
                if self.finished.wait(0.05):
                    return
            del self.passing[0]
