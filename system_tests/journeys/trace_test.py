# SPDX-License-Identifier: Apache-2.0
"""A customer's trace (W3C trace context) is found again in all that came of a request, in the logs
of both services."""

import json
import sqlite3
import unittest

from system_tests.checker.rest import books_at_rest
from system_tests.running.api import Api, expect, new_key
from system_tests.running.services import Services, answered
from system_tests.running.whole_shop import make_product

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Trace(unittest.TestCase):
    def setUp(self):
        self.services = Services()
        self.addCleanup(self.services.close)
        self.admin = Api(self.services.port_of("product"), self.services.admin())
        self.customer = Api(self.services.port_of("order"), self.services.customer())
        self.product = make_product(self.admin, 100)["id"]

    def events(self, service):
        """Type and traceparent of all events in a service's log, in its order."""
        database = sqlite3.connect(self.services.backup(service))
        self.addCleanup(database.close)
        rows = database.execute("select json from freehold_event order by place")
        events = [json.loads("{" + text + "}") for (text,) in rows]
        return [(event["type"], event.get("traceparent", "")) for event in events]

    def place(self, **headers):
        key = new_key()
        return expect(201, answered(lambda: self.customer.post(
            "/api/orders", {"lines": [{"product_id": self.product, "quantity": 1}],
                            "delivery_address": "1 Long Lane"},
            headers={"Idempotency-Key": key, "Prefer": "wait=20", **headers}), "an order"))["id"]

    def test_one_trace_runs_from_the_request_through_command_reply_and_what_follows(self):
        order = self.place(traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
        expect(202, self.customer.post(
            f"/api/orders/{order}/cancellation",
            headers={"traceparent": f"00-{TRACE[::-1]}-00f067aa0ba902b7-01"}))
        self.place()
        books_at_rest(self.services)
        seen = {service: [(kind, trace[3:35]) for kind, trace in self.events(service)
                          if not kind.startswith("freehold.state_checkpoint")]
                for service in ("order", "product")}
        self.assertEqual(seen["order"][:3], [("product.reserve_stock.v1", TRACE),
                                             ("product.sell_stock.v1", TRACE),
                                             ("product.release_stock.v1", TRACE[::-1])])
        self.assertEqual(seen["product"][1:3], [("freehold.reply.v1", TRACE),
                                                ("freehold.reply.v1", TRACE[::-1])])
        for service in seen:
            self.assertEqual({trace for _, trace in seen[service][3:]}, {""},
                             "who brings no trace gets none")
