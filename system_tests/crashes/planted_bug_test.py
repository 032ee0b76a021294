# SPDX-License-Identifier: Apache-2.0
"""The kill test sees what it is there to see: each of these bugs is in the services of a test
build, and breaks one invariant."""

import unittest

from system_tests.crashes.under_fire import shop_under_fire


class PlantedBug(unittest.TestCase):
    def assert_caught(self, bug, invariant, **fire):
        outcome = shop_under_fire(planted_bug=bug, rest_within_s=6,
                                  **{"seconds": 4, "customers": 8, **fire})
        self.assertEqual(outcome.customers.failures, [])
        self.assertIn(invariant, outcome.invariants, outcome.violations[:5])

    def test_a_cursor_that_is_committed_after_its_effects_breaks_invariant_3(self):
        self.assert_caught("consumer.cursor_behind_effects", 3, victims=["product"])

    def test_the_same_is_seen_where_a_server_keeps_the_data(self):
        # Only the death of the instance that has the leases shows it. Each death hands them to the
        # other one, after some seconds.
        self.assert_caught("consumer.cursor_behind_effects", 3, victims=["product", "product-2"],
                           profile="scale", seconds=10)

    def test_a_reply_that_is_lost_breaks_invariant_2(self):
        self.assert_caught("commands.reply_lost:20", 2, victims=[])

    def test_an_answer_that_is_not_stored_under_its_key_breaks_invariant_3(self):
        self.assert_caught("answers.not_stored", 3, victims=["order"], seconds=6)

    def test_a_release_that_forgets_to_give_back_breaks_invariant_5(self):
        self.assert_caught("stock.release_forgets_units", 5, victims=["product"])

    def test_a_return_that_is_not_counted_breaks_invariant_1(self):
        self.assert_caught("stock.return_not_counted", 1, victims=[])

    def test_a_version_that_stands_still_breaks_invariant_6(self):
        self.assert_caught("catalogue.version_stands_still", 6, victims=[])

    def test_an_update_that_a_replica_loses_breaks_invariant_7(self):
        self.assert_caught("replica.update_lost:3", 7, victims=[])
