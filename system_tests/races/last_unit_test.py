# SPDX-License-Identifier: Apache-2.0
"""Two customers want the last unit at the same time: one of them gets it, never both."""

import threading
import unittest
from collections import Counter

from system_tests.running.api import Api, expect
from system_tests.running.services import Services, answered
from system_tests.running.waiting import DONE_WITHIN_S, until
from system_tests.running.whole_shop import make_product

RACES = 1000
ARENAS = 8  # products whose races run side by side


class Arena:
    """One product, of which one unit comes at a time, and two customers who want it."""

    def __init__(self, services, admin_token, races):
        self._services, self._races = services, races
        self._admin = Api(services.port_of("product"), admin_token)
        self.product = make_product(self._admin, 0)["id"]
        self._line_up = threading.Barrier(2, self._deliver)
        self._tokens = [services.customer() for _ in range(2)]
        self.winners = [0] * races  # of each race
        self.reasons = Counter()  # of those who lost
        self.failures = []
        self.threads = [threading.Thread(target=self._run, args=(token,))
                        for token in self._tokens]

    def _deliver(self):
        expect(201, self._admin.post(f"/api/products/{self.product}/stock-adjustments",
                                     {"delta": 1, "reason": "the last one"}))

    def _run(self, token):
        api = Api(self._services.port_of("order"), token)
        try:
            for race in range(self._races):
                self._line_up.wait(DONE_WITHIN_S)
                order = expect(201, answered(
                    lambda: api.place([(self.product, 1)], wait_s=30), "an order"))
                if order["status"] == "confirmed":
                    self.winners[race] += 1
                else:
                    self.reasons[order["reason"]] += 1
        except Exception as failure:
            self.failures.append(repr(failure))
            self._line_up.abort()

    def stock(self):
        return expect(200, self._admin.get(f"/api/products/{self.product}/stock"))


class LastUnit(unittest.TestCase):
    def test_of_two_who_race_for_it_exactly_one_gets_it_a_thousand_times(self):
        services = Services()
        self.addCleanup(services.close)
        admin = services.admin()
        arenas = [Arena(services, admin, RACES // ARENAS) for _ in range(ARENAS)]
        threads = [thread for arena in arenas for thread in arena.threads]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        for arena in arenas:
            self.assertEqual(arena.failures, [])
            self.assertEqual(Counter(arena.winners), {1: RACES // ARENAS})
            self.assertEqual(arena.reasons, {"out_of_stock": RACES // ARENAS})
            sold = {"on_hand": 0, "reserved": 0, "available": 0, "sold": RACES // ARENAS,
                    "returned": 0}
            until(lambda arena=arena, sold=sold: arena.stock() == sold, f"the stock is {sold}")
