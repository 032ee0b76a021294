# SPDX-License-Identifier: Apache-2.0
"""Somebody wants to be forgotten, and is: invariant 9."""

import uuid

from system_tests.journeys.journey import Journey
from system_tests.running.api import PASSWORD, Api, expect
from system_tests.running.waiting import until

ERASED_WITHIN_S = 60


def bytes_of(path):
    """What the file holds; nothing when it was deleted meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


class Erasure(Journey):
    def setUp(self):
        self.canary = f"canary{uuid.uuid4().hex}"
        self.email = f"{self.canary}@example.org"
        self.api = Api(self.shop.port)
        expect(201, self.api.register(self.email, name=f"Name {self.canary}"))
        expect(201, self.api.log_in(self.email))
        expect(200, self.api.patch("/api/users/me", {
            "phone": self.canary, "addresses": [{"street": f"1 {self.canary}"}]}))

    def ordered(self):
        return expect(201, self.api.place([(self.product(5), 1)], wait_s=20,
                                          address={"street": f"1 {self.canary}"}))

    def files_with_the_canary(self):
        """Of everything that the shop writes: databases, their journals, records, configuration."""
        found = []
        for path in self.shop.data.rglob("*"):
            if path.is_file() and self.canary.encode() in bytes_of(path):
                found.append(str(path.relative_to(self.shop.data)))
        return found

    def is_in_no_file(self):
        if self.shop.profile == "scale":  # what the cluster does by itself within half an hour
            self.shop.cluster().server().run("checkpoint;")
        return not self.files_with_the_canary()

    def test_an_erased_account_is_gone_and_its_address_is_free_again(self):
        self.assertEqual(self.api.delete("/api/users/me").status, 204)
        self.assert_problem(self.api.get("/api/users/me"), 404, "user/unknown_user")
        self.assert_problem(self.api.log_in(self.email), 401, "user/wrong_credentials")
        expect(201, self.api.register(self.email))

    def test_an_order_outlives_its_customer_without_the_address(self):
        order = self.ordered()
        self.assertIn(self.canary, str(self.order(order["id"], self.admin)))
        expect(204, self.api.delete("/api/users/me"))
        until(lambda: self.canary not in str(self.order(order["id"], self.admin)),
              "the order service has forgotten its customer", ERASED_WITHIN_S)
        self.assertEqual(self.order(order["id"], self.admin)["status"], "confirmed")

    def test_a_token_that_outlives_its_account_orders_nothing(self):
        expect(204, self.api.delete("/api/users/me"))
        until(lambda: self.api.place([(self.product(5), 1)]).status == 401,
              "the order service takes no more orders of this customer", ERASED_WITHIN_S)

    def test_what_was_personal_is_found_in_no_file_afterwards(self):
        self.ordered()
        self.assertNotEqual(self.files_with_the_canary(), [], "the canary was never written")
        expect(204, self.api.delete("/api/users/me"))
        until(self.is_in_no_file, "the canary is in no file", ERASED_WITHIN_S, every_s=0.5)
        self.assertEqual(self.api.log_in(self.email, PASSWORD).status, 401)
