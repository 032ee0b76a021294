# SPDX-License-Identifier: Apache-2.0
"""What the shop shows to nobody, and how it says no."""

from system_tests.journeys.journey import Journey
from system_tests.running.api import Api, expect

INTERNAL = ("/feed", "/feed/0", "/feed/states", "/operator")
SERVICES = ("product", "order", "user")


class Border(Journey):
    def test_the_gateway_passes_nothing_but_the_public_api(self):
        gateway = Api(self.shop.port)
        for path in (*INTERNAL, "/", "/metrics", "/livez", "/readyz", "/openapi.json",
                     "/api/products/../../feed/0", "/api/feed/0", "/api/orders/%2e%2e/operator"):
            with self.subTest(path):
                answer = gateway.get(path)
                self.assertGreaterEqual(answer.status, 400, answer)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")

    def test_internal_routes_answer_to_service_identities_alone(self):
        admin = self.admin.token
        for service in SERVICES:
            for path in INTERNAL:
                for token, identity in ((None, None), (admin, None), (None, "forged"),
                                        (admin, admin), (None, admin)):
                    with self.subTest(f"{service} {path} {bool(token)} {bool(identity)}"):
                        api = Api(self.shop.port_of(service), token)
                        headers = {"Freehold-Identity": identity} if identity else {}
                        self.assertIn(api.get(path, headers=headers).status, (401, 403))
                        post = api.post(path, {"what": "backup", "name": "x"}, headers=headers)
                        self.assertIn(post.status, (401, 403, 405))

    def test_each_service_tells_how_it_is_and_what_it_offers(self):
        for service in SERVICES:
            api = Api(self.shop.port_of(service))
            for path in ("/livez", "/readyz", "/metrics"):
                self.assertEqual(api.get(path).status, 200, f"{service} {path}")
            described = expect(200, api.get("/openapi.json"))
            self.assertEqual(described["info"]["title"], service)
            self.assertTrue(described["paths"])

    def test_the_statuses_of_a_success_are_described(self):
        for service, path, statuses in (("order", "/api/orders", {"201", "202"}),
                                        ("order", "/api/orders/{id}/cancellation", {"202"}),
                                        ("product", "/api/products", {"201"}),
                                        ("product", "/api/products/{id}/stock-adjustments",
                                         {"201"}),
                                        ("user", "/api/users", {"201"}),
                                        ("user", "/api/sessions", {"201"}),
                                        ("user", "/api/sessions/refresh", {"201"})):
            described = Api(self.shop.port_of(service)).get("/openapi.json").json
            self.assertEqual(described["paths"][path]["post"]["responses"].keys() - {"default"},
                             statuses, path)

    def test_every_no_is_a_problem_whoever_says_it(self):
        nobody, customer, admin = Api(self.shop.port), self.customer, self.admin
        nothing = "01a20480-0000-7000-8000-000000000000"
        for answer, status, code in (
                (nobody.get("/nowhere"), 404, "gateway/unknown_path"),
                (nobody.post("/api/users", "x" * 300_000), 413, "gateway/body_too_large"),
                (nobody.get("/api/products?search=" + "x" * 9000), 431, "gateway/head_too_large"),
                (nobody.get(f"/api/products/{nothing}"), 404, "product/unknown_product"),
                (nobody.get("/api/products/1"), 400, "freehold/malformed"),
                (nobody.get(f"/api/products/{nothing}/nowhere"), 404, "freehold/not_found"),
                (nobody.ask("PUT", "/api/products"), 405, "freehold/method_not_allowed"),
                (nobody.get("/api/users/me"), 401, "freehold/unauthenticated"),
                (customer.get(f"/api/orders/{nothing}"), 404, "order/unknown_order"),
                (customer.patch("/api/users/me", ["no object"]), 400, "freehold/malformed"),
                (nobody.post("/api/sessions", {}, headers={"Content-Type": "text/plain"}), 415,
                 "freehold/unsupported_media_type"),
                (customer.post("/api/products", {}), 403, "freehold/forbidden"),
                (admin.post("/api/products", {"sku": 1}), 400, "freehold/malformed")):
            with self.subTest(code):
                self.assert_problem(answer, status, code)

    def test_what_is_no_json_is_named(self):
        answer = self.customer.ask("POST", "/api/users", headers={
            "Content-Type": "application/json", "Content-Length": "0"})
        self.assert_problem(answer, 400, "freehold/malformed")
