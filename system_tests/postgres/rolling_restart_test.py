# SPDX-License-Identifier: Apache-2.0
"""The instances of the shop are restarted one after the other while people use it through the
gateway, each of whose requests is sent once and has to be answered well."""

import random
import threading
import unittest
from collections import Counter

from system_tests.checker.rest import check_at_rest
from system_tests.running.api import Api, Unanswered, new_key
from system_tests.running.whole_shop import WholeShop, make_product

INSTANCES = ("product", "order", "product-2", "order-2")
PEOPLE = 8
GOOD = {"place": (201, 202), "read": (200,), "cancel": (202,), "browse": (200,), "rename": (200,)}


class People:
    """Each orders, reads, cancels and browses, and counts what was answered otherwise than well."""

    def __init__(self, shop):
        self._shop = shop
        self._admin = shop.log_in("admin")
        self._products = [make_product(self._admin, 100_000)["id"] for _ in range(4)]
        self.accepted = {}  # idempotency key → order
        self.answers = Counter()
        self.bad = []
        self._finished = threading.Event()
        token = shop.log_in("customer").token
        self._threads = [threading.Thread(target=self._go_on, args=(self._shop_once, Api(
            shop.port, token))) for _ in range(PEOPLE)]
        self._threads.append(threading.Thread(target=self._go_on, args=(
            self._rename, Api(shop.port, self._admin.token))))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._finished.set()
        for thread in self._threads:
            thread.join()

    def _go_on(self, work, api):
        while not self._finished.is_set():
            work(api)

    def _good(self, what, ask):
        """The answer, if it is as it should be."""
        try:
            answer = ask()
        except Unanswered as failure:
            self.bad.append(f"{what}: {failure}")
            return None
        self.answers[what] += 1
        if answer.status in GOOD[what]:
            return answer
        self.bad.append(f"{what}: {answer}")
        return None

    def _shop_once(self, api):
        product, key = random.choice(self._products), new_key()
        wait_s = random.choice((0, 0, 5))
        placed = self._good("place", lambda: api.place([(product, 1)], key, wait_s))
        if not placed:
            return
        order = placed.json["id"]
        self.accepted[key] = order
        self._good("read", lambda: api.get(f"/api/orders/{order}"))
        if random.random() < 0.3:
            self._good("cancel", lambda: api.cancel(order))
        self._good("browse", lambda: api.get("/api/products?limit=5"))

    def _rename(self, api):
        product = random.choice(self._products)
        self._good("rename", lambda: api.patch(f"/api/products/{product}", {"name": new_key()},
                                               headers={"If-Match": "*"}))
        self._finished.wait(0.05)


class RollingRestart(unittest.TestCase):
    maxDiff = None

    def test_no_request_fails_and_each_effect_happens_once(self):
        shop = WholeShop("scale")
        self.addCleanup(shop.stop)
        with People(shop) as people:
            for instance in INSTANCES * 2:
                before = sum(people.answers.values())
                shop.stop_instance(instance)
                shop.start_instance(instance)
                self.assertGreater(sum(people.answers.values()), before)
        print(f"\nanswers {dict(people.answers)}")
        self.assertEqual(people.bad, [])
        for what in GOOD:
            self.assertGreater(people.answers[what], 10, what)
        self.assertEqual(check_at_rest(shop, people.accepted), [])
