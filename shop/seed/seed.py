#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Loads the demo accounts and the demo catalogue through the shop's public API.

It may be run again, also after it was killed: an account is known by its e-mail address and a
product by its SKU, and what is there already stays as it is.

  seed.py GATEWAY ACCOUNTS COMMAND…     as: seed.py http://127.0.0.1:8080 var/shop/demo.json \\
                                              build/release/shop/user/user --config … make-admin
"""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

CATALOGUE = Path(__file__).resolve().parent / "catalogue.json"
NAMES = {"admin": "Ada Admin", "customer": "Chris Customer"}
ANSWERED_WITHIN_S = 30  # each request, attempts and pauses together


class SeedFailed(Exception):
    """The shop did not take something; one line says what."""


class Shop:
    """The public API, as somebody who may have logged in."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.token = None

    def post(self, path, body):
        """Status and body of the answer. A shop that is busy or away for a moment is asked again,
        since none of our requests can have its effect twice."""
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while True:
            try:
                status, answer, pause_s = self._post_once(path, body)
            except OSError as error:
                status, answer, pause_s = 0, str(error), 1
            if status not in (0, 429, 503, 504) or time.monotonic() + pause_s > deadline:
                return status, answer
            time.sleep(pause_s)

    def _post_once(self, path, body):
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.gateway + path, json.dumps(body).encode(), headers,
                                         method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer), 0
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            return error.code, said, float(error.headers.get("Retry-After") or 1)

    def log_in(self, account):
        status, answer = self.post("/api/sessions", {"email": account["email"],
                                                     "password": account["password"]})
        if status != 201:
            raise SeedFailed(f"log-in of {account['email']}: {status} {answer}")
        self.token = answer["access_token"]


def load(gateway, accounts, make_admin, catalogue=CATALOGUE):
    """Makes what is missing. `accounts` is demo.json's content; `make_admin(email)` gives an
    account the role that the public API cannot give. SeedFailed if the shop takes something not."""
    shop = Shop(gateway)
    for role, account in accounts.items():
        create(shop, "/api/users", {**account, "name": NAMES[role]}, account["email"])
    make_admin(accounts["admin"]["email"])
    shop.log_in(accounts["admin"])
    for product in json.loads(Path(catalogue).read_text()):
        create(shop, "/api/products", product, product["sku"])


def create(shop, path, body, name):
    """409 is the answer to what is there already: its e-mail address or SKU is taken."""
    status, answer = shop.post(path, body)
    if status not in (201, 409):
        raise SeedFailed(f"{name}: {status} {answer}")


def main(gateway, accounts, *command):
    load(gateway, json.loads(Path(accounts).read_text()),
         lambda email: subprocess.run([*command, email], check=True))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except SeedFailed as failure:
        sys.exit(f"seed: {failure}")
