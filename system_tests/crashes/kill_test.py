# SPDX-License-Identifier: Apache-2.0
"""Services are killed with SIGKILL while customers order; nothing that was promised is lost."""

import unittest

from system_tests.crashes.under_fire import shop_under_fire
from system_tests.running.waiting import LONG


class Kill(unittest.TestCase):
    maxDiff = None

    def test_orders_survive_the_kills_of_every_service_and_all_invariants_hold(self):
        outcome = shop_under_fire(60 if LONG else 20)
        self.assertEqual(outcome.customers.failures, [])
        self.assertEqual(outcome.violations, [])
        # All of it happened: kills of each service, and every sort of answer.
        print(f"\nkills {outcome.kills}, answers {dict(outcome.customers.answers)}")
        self.assertGreaterEqual(min(outcome.kills.values()), 3)
        self.assertGreater(len(outcome.customers.accepted), 200)
        for answer in (201, 202, "cancellation 202"):
            self.assertGreater(outcome.customers.answers[answer], 10, answer)
        self.assertGreater(outcome.customers.answers[422], 0, "of a product that was withdrawn")
