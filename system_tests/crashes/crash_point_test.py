# SPDX-License-Identifier: Apache-2.0
"""Customers order while a service dies at each of its crash points in turn; nothing that was
promised is lost. Unlike kills at random times, these fall exactly between two steps."""

import subprocess
import unittest

from system_tests.checker.rest import check_at_rest
from system_tests.crashes.customers import Customers
from system_tests.running.api import Api, expect, new_key
from system_tests.running.services import Services, answered
from system_tests.running.waiting import until
from system_tests.running.whole_shop import BUILD

REACHED_WITHIN_S = 60

# Not on the path of an order or its cancellation on the embedded database; the rooms of the toolkit
# have tests of their own for these.
ELSEWHERE = {
    "order": ("consumer.after_note_try", "consumer.after_redrive", "consumer.after_set_aside",
              "consumer.after_states", "consumer.before_retry", "feed.before_cut_commits",
              "identity.", "log.after_seal_sent", "replica.", "saga.timer_fired"),
    "product": ("consumer.after_note_try", "consumer.after_redrive", "consumer.after_set_aside",
                "consumer.after_states", "consumer.before_retry", "feed.before_cut_commits",
                "identity.", "log.after_seal_sent", "replica.", "saga."),
}


def crash_points(service):
    """Those of the service's program that an order comes past."""
    listed = subprocess.run([BUILD / "shop" / service / service, "--list-crash-points"],
                            check=True, capture_output=True, text=True).stdout.split()
    return [point for point in listed if not point.startswith(ELSEWHERE[service])]


class CrashPoint(unittest.TestCase):
    maxDiff = None

    def test_orders_survive_a_crash_at_every_point_that_they_come_past(self):
        services = Services()
        self.addCleanup(services.close)
        shopping = Customers(services, 6)
        self.accepted = shopping.accepted
        self.product, self.token = shopping.products[0], services.customer()
        shopping.start()
        try:
            for service in ("order", "product"):
                for point in crash_points(service):
                    with self.subTest(f"{service} {point}"):
                        self.crash_at(services, service, point)
        finally:
            shopping.stop()
        self.assertEqual(shopping.failures, [])
        self.assertGreater(len(shopping.accepted), 20)
        self.assertEqual(check_at_rest(services, shopping.accepted), [])

    def crash_at(self, services, service, point):
        services.kill(service)
        services.start(service, {"FREEHOLD_CRASH_AT": point})
        try:
            until(lambda: not services.is_running(service), f"{service} comes to {point}",
                  REACHED_WITHIN_S)
        finally:
            services.kill(service)
            services.start(service)
            services.until_ready(service)
        # Work goes on before the next crash: an event that meets three is taken for their cause.
        self.pass_an_order(services)

    def pass_an_order(self, services):
        api = Api(services.port_of("order"), self.token)
        key = new_key()
        order = expect(202, answered(lambda: api.place([(self.product, 1)], key), "an order"))
        self.accepted[key] = order["id"]
        until(lambda: answered(lambda: api.get(f"/api/orders/{order['id']}"), "its state")
              .json["status"] != "pending", "the order has come to its end")
