# SPDX-License-Identifier: Apache-2.0
"""Somebody registers, logs in, stays logged in, and changes the own details."""

import time

from system_tests.journeys.journey import Journey
from system_tests.running.api import PASSWORD, Api, expect, new_email

ATTEMPTS_MAX = 10  # failed log-ins for one account until it is throttled
REGISTRATIONS_MAX = 300  # from one address
WINDOW_S = 600
GRACE_US = 10_000_000


class Account(Journey):
    def setUp(self):
        self.email = new_email()
        self.api = Api(self.shop.port)

    def registered(self):
        return expect(201, self.api.register(self.email))

    def test_who_registers_becomes_a_customer(self):
        account = self.registered()
        self.assertLessEqual({"id", "email", "name", "role", "created_at"}, account.keys())
        self.assertEqual((account["email"], account["role"]), (self.email, "customer"))
        self.assertNotIn("password", str(account))

    def test_an_address_belongs_to_one_account_however_it_is_spelt(self):
        self.registered()
        self.assert_problem(self.api.register(self.email.upper()), 409, "user/email_taken")

    def test_what_is_no_account_is_refused(self):
        for email, password, name in (("nobody", PASSWORD, "N"), (self.email, "short", "N"),
                                      (self.email, PASSWORD, "")):
            self.assert_problem(self.api.register(email, name, password), 400,
                                "user/malformed_account")
        self.assert_problem(self.api.post("/api/users", {
            "email": self.email, "password": PASSWORD, "name": "N", "role": "admin"}), 400,
                            "freehold/malformed")

    def test_a_log_in_gives_tokens_that_every_service_believes(self):
        self.registered()
        tokens = expect(201, self.api.log_in(self.email))
        self.assertEqual(tokens.keys(),
                         {"access_token", "token_type", "expires_in", "refresh_token"})
        self.assertEqual((tokens["token_type"], tokens["expires_in"]), ("Bearer", 600))
        self.assertEqual(expect(200, self.api.get("/api/users/me"))["email"], self.email)
        self.assertEqual(expect(200, self.api.get("/api/orders"))["items"], [])

    def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(self):
        self.registered()
        wrong = self.api.log_in(self.email, "not the password")
        unknown = self.api.log_in(new_email(), "not the password")
        self.assert_problem(wrong, 401, "user/wrong_credentials")
        self.assertEqual(wrong.text, unknown.text)

    def test_guessing_a_password_is_throttled_and_costs_nobody_else(self):
        self.registered()
        for _ in range(ATTEMPTS_MAX):
            self.assert_problem(self.api.log_in(self.email, "a wrong guess"), 401,
                                "user/wrong_credentials")
        throttled = self.api.log_in(self.email)
        self.assert_problem(throttled, 429, "user/too_many_attempts")
        self.assertGreater(int(throttled.headers["Retry-After"]), WINDOW_S / 2)
        self.assertLessEqual(int(throttled.headers["Retry-After"]), WINDOW_S)
        self.assertEqual(self.somebody().get("/api/users/me").status, 200)

    def test_a_flood_of_registrations_from_one_address_is_throttled(self):
        def register(address, password):
            return Api(self.shop.port_of("user")).post(
                "/api/users", {"email": new_email(), "password": password, "name": "Ann"},
                headers={"X-Real-IP": address})
        for _ in range(REGISTRATIONS_MAX):
            self.assertEqual(register("192.0.2.1", "short").status, 400)
        throttled = register("192.0.2.1", PASSWORD)
        self.assert_problem(throttled, 429, "user/too_many_attempts")
        self.assertGreater(int(throttled.headers["Retry-After"]), WINDOW_S / 2)
        self.assertEqual(register("192.0.2.2", PASSWORD).status, 201)

    def test_the_public_keys_are_there_for_everybody(self):
        keys = expect(200, self.api.get("/api/.well-known/jwks.json"))["keys"]
        self.assertEqual({key["alg"] for key in keys}, {"ES256"})
        self.assertFalse(any("d" in key for key in keys), "a private key is shown")

    def test_details_are_changed_one_by_one_and_cleared_by_null(self):
        self.registered()
        self.api.log_in(self.email)
        changed = expect(200, self.api.patch("/api/users/me", {
            "phone": "+49 30 1", "addresses": [{"city": "Anytown"}, "1 Long Lane"]}))
        self.assertEqual(changed["name"], "Chris Customer")
        changed = expect(200, self.api.patch("/api/users/me", {"name": "Ann", "phone": None}))
        self.assertEqual((changed["name"], changed["phone"], changed["addresses"]),
                         ("Ann", None, [{"city": "Anytown"}, "1 Long Lane"]))
        self.assertEqual(expect(200, self.api.get("/api/users/me")), changed)
        for change in ({"role": "admin"}, {"email": "other@example.org"}):
            self.assert_problem(self.api.patch("/api/users/me", change), 400, "freehold/malformed")


class Session(Journey):
    def setUp(self):
        self.email = new_email()
        self.api = Api(self.shop.port)
        expect(201, self.api.register(self.email))
        self.first = expect(201, self.api.log_in(self.email))["refresh_token"]

    def refresh(self, token):
        return self.api.post("/api/sessions/refresh", {"refresh_token": token})

    def test_a_refresh_gives_new_tokens_and_uses_the_old_one_up(self):
        tokens = expect(201, self.refresh(self.first))
        self.assertNotEqual(tokens["refresh_token"], self.first)
        self.api.token = tokens["access_token"]
        self.assertEqual(self.api.get("/api/users/me").status, 200)

    def test_a_token_used_twice_within_the_grace_is_a_repeated_request(self):
        expect(201, self.refresh(self.first))
        again = expect(201, self.refresh(self.first))["refresh_token"]
        expect(201, self.refresh(again))

    def test_a_token_used_again_after_the_grace_ends_the_whole_session(self):
        newest = expect(201, self.refresh(self.first))["refresh_token"]
        self.age_used_tokens()
        self.assert_problem(self.refresh(self.first), 401, "user/session_ended")
        self.assert_problem(self.refresh(newest), 401, "user/session_ended")

    def test_a_log_out_ends_the_session(self):
        self.assertEqual(self.api.delete("/api/sessions/current").status, 204)
        self.assert_problem(self.refresh(self.first), 401, "user/session_ended")

    def test_a_token_that_nobody_gave_out_is_refused(self):
        self.assert_problem(self.refresh("x" * 43), 401, "user/session_ended")

    def age_used_tokens(self):
        """In place of waiting for the grace: the service finds that the uses were earlier."""
        self.shop.change("user", "update refresh_token set replaced_at = replaced_at - "
                                 f"{GRACE_US + 1} where replaced_at is not null")


class Times(Journey):
    def test_an_unknown_address_takes_as_long_as_a_wrong_password(self):
        """Both hash a password: that is the work whose absence would tell. The fastest of some
        counts, taken in turns, since other tests use the cores too."""
        email = new_email()
        api = Api(self.shop.port)
        expect(201, api.register(email))

        def seconds(address):
            began = time.monotonic()
            api.log_in(address, "a wrong guess")
            return time.monotonic() - began

        known, unknown = map(min, zip(*((seconds(email), seconds(new_email()))
                                        for _ in range(4))))
        self.assertLess(known / unknown, 4)
        self.assertLess(unknown / known, 4)
