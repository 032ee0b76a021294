# SPDX-License-Identifier: Apache-2.0
"""The profile scale under fire: instances are killed, stopped for longer than their leases last and
then let go on, and PostgreSQL is killed, while customers order at any instance; nothing that was
promised is lost, and nothing has a second effect."""

import time
import unittest

from system_tests.crashes.under_fire import shop_under_fire
from system_tests.running.api import Api, expect, new_key
from system_tests.running.services import Services, answered
from system_tests.running.waiting import LONG
from system_tests.running.whole_shop import make_product

# The first instances started first, and have taken all leases by the time of the first blow.
VICTIMS = ("order", "postgres", "product", "paused product-2", "order-2", "paused order", "user",
           "postgres", "product-2", "paused product", "paused order-2")


class KillOnScale(unittest.TestCase):
    maxDiff = None

    def test_orders_survive_kills_and_stops_of_all_instances_and_of_the_server(self):
        outcome = shop_under_fire(240 if LONG else 20, victims=VICTIMS, profile="scale")
        self.assertEqual(outcome.customers.failures, [])
        self.assertEqual(outcome.violations, [])
        # All of it happened.
        print(f"\nkills {outcome.kills}, answers {dict(outcome.customers.answers)}")
        self.assertGreaterEqual(min(outcome.kills.values()), 1)
        self.assertGreater(len(outcome.customers.accepted), 100)
        for answer in (201, 202, "cancellation 202"):
            self.assertGreater(outcome.customers.answers[answer], 10, answer)


class OneInstanceAway(unittest.TestCase):
    """Whoever it is, and however it went: with what it held, another one goes on."""

    # 5 s for its leases, 5 s for those who read its log, and a busy machine.
    CONFIRMED_WITHIN_S = 20

    @classmethod
    def setUpClass(cls):
        cls.services = Services(profile="scale", several=True)
        cls.addClassCleanup(cls.services.close)
        admin, token = cls.services.admin(), cls.services.customer()
        cls.customers = {name: Api(cls.services.port_of(name), token)
                         for name in ("order", "order-2")}
        cls.product = make_product(Api(cls.services.port_of("product"), admin), 1000)["id"]

    def order_at(self, name):
        """Seconds from a placed to a confirmed order."""
        began, key = time.monotonic(), new_key()
        order = expect(201, answered(lambda: self.customers[name].place(
            [(self.product, 1)], key, wait_s=self.CONFIRMED_WITHIN_S), "an order"))
        self.assertEqual(order["status"], "confirmed")
        return time.monotonic() - began

    def test_orders_are_confirmed_while_an_instance_is_stopped(self):
        self.order_at("order")
        for away in ("product", "product-2", "order", "order-2"):
            with self.subTest(away):
                self.services.pause(away)
                try:
                    there = "order" if away != "order" else "order-2"
                    took = [self.order_at(there) for _ in range(2)]
                finally:
                    self.services.resume(away)
                print(f"\n{away} stopped: {took[0]:.1f} s, then {took[1]:.2f} s")
                self.assertLess(took[1], 2)

    def test_orders_are_confirmed_after_an_instance_has_died(self):
        self.order_at("order")
        for away in ("product", "product-2", "order", "order-2"):
            with self.subTest(away):
                self.services.kill(away)
                try:
                    took = self.order_at("order" if away != "order" else "order-2")
                finally:
                    self.services.start(away)
                    self.services.until_ready(away)
                print(f"\n{away} killed: {took:.1f} s")
