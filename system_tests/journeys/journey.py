# SPDX-License-Identifier: Apache-2.0
"""What journeys have in common: one shop for all of them, and its people."""

import atexit
import functools
import os
import unittest

from system_tests.running.api import customer_of, expect
from system_tests.running.waiting import until
from system_tests.running.whole_shop import WholeShop, make_product


@functools.cache
def the_shop():
    shop = WholeShop(os.environ.get("FREEHOLD_PROFILE", "local"))
    atexit.register(shop.stop)
    return shop


class Journey(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.shop = the_shop()
        cls.admin = cls.shop.log_in("admin")
        cls.customer = cls.shop.log_in("customer")

    def somebody(self):
        return customer_of(self.shop.port)[0]

    def product(self, stock, **members):
        """A new product's id."""
        return make_product(self.admin, stock, **members)["id"]

    def stock(self, product_id):
        return expect(200, self.admin.get(f"/api/products/{product_id}/stock"))

    def available(self, product_id):
        return expect(200, self.customer.get(f"/api/products/{product_id}"))["available"]

    def order(self, order_id, customer=None):
        return expect(200, (customer or self.customer).get(f"/api/orders/{order_id}"))

    def confirmed_order(self, product_id, quantity=1, customer=None):
        placed = expect(201, (customer or self.customer).place([(product_id, quantity)], wait_s=20))
        self.assertEqual(placed["status"], "confirmed", placed)
        return placed

    def until_status(self, order_id, status, customer=None):
        def there():
            order = self.order(order_id, customer)
            return order if order["status"] == status else None
        return until(there, f"order {order_id} is {status}")

    def until_stock(self, product_id, **wanted):
        def is_so():
            stock = self.stock(product_id)
            return all(stock[name] == value for name, value in wanted.items())
        until(is_so, f"the stock of {product_id} is {wanted}")

    def assert_problem(self, answer, status, code):
        """Problem details (RFC 9457) of this code, whoever answers."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        problem = answer.json
        self.assertEqual(problem["type"], f"/problems/{code}", problem)
        self.assertEqual(problem["code"], code)
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"])
