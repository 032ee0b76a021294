# SPDX-License-Identifier: Apache-2.0
"""Anybody looks at the catalogue; an administrator changes it."""

from system_tests.journeys.journey import Journey
from system_tests.running.api import Api, expect, new_key


class Browse(Journey):
    def setUp(self):
        self.anybody = Api(self.shop.port)

    def pages(self, limit, between=lambda: None, search=""):
        """The ids of all pages, in order; `between` is called after each page."""
        ids, after = [], ""
        while True:
            page = expect(200, self.anybody.get(
                f"/api/products?limit={limit}" + after + (f"&search={search}" if search else "")))
            ids += [item["id"] for item in page["items"]]
            if page["next"] is None:
                return ids
            after = f"&after={page['next']}"
            between()

    def test_the_demo_catalogue_is_there_without_a_log_in(self):
        self.assertGreaterEqual(len(self.pages(100)), 50)

    def test_a_product_has_what_the_api_promises(self):
        made = expect(200, self.anybody.get("/api/products?limit=1"))["items"][0]
        answer = self.anybody.get(f"/api/products/{made['id']}")
        product = expect(200, answer)
        self.assertLessEqual({"id", "sku", "name", "description", "price", "available", "version"},
                             product.keys())
        self.assertEqual(product["price"].keys(), {"amount_minor", "currency"})
        self.assertEqual(answer.headers["ETag"], f'"{product["version"]}"')

    def test_pages_are_ordered_by_id_and_hold_each_product_once(self):
        ids = self.pages(7)
        self.assertEqual(ids, sorted(ids))
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(ids, self.pages(100))

    def test_products_that_are_added_meanwhile_shift_no_page(self):
        before, added = self.pages(100), []
        seen = self.pages(10, lambda: added.append(self.product(1)))
        self.assertEqual(seen[:len(before)], before)
        self.assertLessEqual(set(seen[len(before):]), set(added))

    def test_a_search_finds_words_that_begin_so_in_name_and_description(self):
        word = "x" + new_key().replace("-", "")
        by_name = self.product(1, name=f"Big {word}abc lamp")
        by_description = self.product(1, description=f"Not a {word}def.")
        self.product(1)
        self.assertEqual(self.pages(1, search=word), [by_name, by_description])
        self.assertEqual(self.pages(10, search=f"lamp%20{word}"), [by_name])
        self.assertEqual(self.pages(10, search=f"{word}zzz"), [])

    def test_a_search_is_words_and_never_an_expression(self):
        for search in ("%22", "a%22%20OR%20%22b", "*", "NEAR(", "-x", "sku:x"):
            self.assertEqual(self.anybody.get(f"/api/products?search={search}").status, 200, search)

    def test_a_page_that_cannot_be_is_refused(self):
        for query in ("limit=0", "limit=101", "limit=x", "after=x", "unknown=1"):
            self.assertEqual(self.anybody.get(f"/api/products?{query}").status, 400, query)

    def test_only_an_administrator_changes_the_catalogue(self):
        product = self.product(1)
        for method, path in (("POST", "/api/products"), ("PATCH", f"/api/products/{product}"),
                             ("DELETE", f"/api/products/{product}"),
                             ("POST", f"/api/products/{product}/stock-adjustments"),
                             ("GET", f"/api/products/{product}/stock")):
            with self.subTest(f"{method} {path}"):
                self.assert_problem(self.anybody.ask(method, path), 401,
                                    "freehold/unauthenticated")
                self.assert_problem(self.customer.ask(method, path), 403, "freehold/forbidden")


class Catalogue(Journey):
    def test_a_change_needs_the_version_that_was_read(self):
        path = f"/api/products/{self.product(1)}"
        change = {"name": "Better thing"}
        self.assert_problem(self.admin.patch(path, change), 428, "freehold/precondition_required")
        changed = self.admin.patch(path, change, headers={"If-Match": '"1"'})
        self.assertEqual(expect(200, changed)["version"], 2)
        self.assertEqual(changed.headers["ETag"], '"2"')
        self.assert_problem(self.admin.patch(path, change, headers={"If-Match": '"1"'}), 412,
                            "freehold/precondition_failed")
        self.assertEqual(expect(200, self.admin.get(path))["name"], "Better thing")

    def test_stock_moves_without_a_new_version(self):
        product = self.product(5)
        self.confirmed_order(product, 2)
        adjusted = self.admin.post(f"/api/products/{product}/stock-adjustments",
                                   {"delta": 10, "reason": "a delivery"})
        self.assertEqual(adjusted.status, 201, adjusted)
        now = expect(200, self.admin.get(f"/api/products/{product}"))
        self.assertEqual((now["version"], now["available"]), (1, 13))

    def test_stock_never_falls_below_what_is_reserved_or_zero(self):
        product = self.product(3)
        self.assert_problem(
            self.admin.post(f"/api/products/{product}/stock-adjustments",
                            {"delta": -4, "reason": "a loss"}), 422, "product/stock_below_reserved")
        self.assertEqual(self.stock(product)["on_hand"], 3)

    def test_an_sku_belongs_to_one_product(self):
        product = expect(200, self.admin.get(f"/api/products/{self.product(1)}"))
        again = self.admin.post("/api/products", {"sku": product["sku"], "name": "Other",
                                                  "price": product["price"], "stock": 1})
        self.assert_problem(again, 409, "product/sku_taken")

    def test_a_withdrawn_product_takes_no_new_order_and_old_ones_are_unaffected(self):
        product = self.product(5)
        before = self.confirmed_order(product)
        self.assertEqual(self.admin.delete(f"/api/products/{product}").status, 204)

        listed = expect(200, self.admin.get("/api/products?limit=100"))
        self.assertNotIn(product, [item["id"] for item in listed["items"]])
        # Refused at once, or by the product service if the order service had not heard of it yet.
        answer = self.customer.place([(product, 1)], wait_s=20)
        if answer.status == 201:
            self.assertEqual((answer.json["status"], answer.json["reason"]),
                             ("rejected", "product_withdrawn"))
        else:
            self.assert_problem(answer, 422, "product/product_withdrawn")
        self.assertEqual(self.order(before["id"])["status"], "confirmed")
        self.assertEqual(self.customer.cancel(before["id"]).status, 202)
        self.until_status(before["id"], "cancelled")
        self.until_stock(product, on_hand=5, reserved=0)
