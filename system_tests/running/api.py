# SPDX-License-Identifier: Apache-2.0
"""The shop's public API, as its callers use it: HTTP, JSON, and nothing of our own code."""

import http.client
import json
import time
import uuid

PASSWORD = "correct horse battery"
ANSWERED_WITHIN_S = 30
ADDRESS = {"street": "1 Long Lane", "city": "Anytown"}


class Unanswered(Exception):
    """The connection was refused or broke: what came of the request is not known."""


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self):
        return json.loads(self.text)

    def __repr__(self):
        return f"{self.status} {self.text}"


class Api:
    """One caller of one server, on one connection that is kept. For one thread at a time."""

    def __init__(self, port, token=None, timeout_s=ANSWERED_WITHIN_S):
        self.port, self.token, self.timeout_s = port, token, timeout_s
        self._connection = None

    def ask(self, method, path, body=None, headers=None):
        """The answer to one request, which is sent once. Unanswered if none came."""
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        sent.update(headers or {})
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                          timeout=self.timeout_s)
        try:
            self._connection.request(method, path, None if body is None else json.dumps(body), sent)
            return Answer(self._connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Unanswered(f"{method} {path}: {error!r}") from error

    def __del__(self):
        self.close()

    def close(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.ask("POST", path, body, **options)

    def patch(self, path, body, **options):
        return self.ask("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.ask("DELETE", path, **options)

    def register(self, email, name="Chris Customer", password=PASSWORD):
        return self.post("/api/users", {"email": email, "password": password, "name": name})

    def log_in(self, email, password=PASSWORD):
        """Acts as this account from now on, if the answer is 201."""
        answer = self.post("/api/sessions", {"email": email, "password": password})
        if answer.status == 201:
            self.token = answer.json["access_token"]
        return answer

    def place(self, lines, key=None, wait_s=0, address=None):
        """Orders `lines`, pairs of product id and quantity."""
        headers = {"Idempotency-Key": key or new_key()}
        if wait_s:
            headers["Prefer"] = f"wait={wait_s}"
        return self.post("/api/orders", {
            "lines": [{"product_id": product, "quantity": quantity} for product, quantity in lines],
            "delivery_address": address or ADDRESS}, headers=headers)

    def cancel(self, order_id):
        return self.post(f"/api/orders/{order_id}/cancellation")


def new_key():
    return str(uuid.uuid4())


def new_email(name="somebody"):
    return f"{name}-{uuid.uuid4()}@example.org"


def customer_of(port):
    """A new customer, logged in, and that account's answer."""
    api, email = Api(port), new_email()
    made = expect(201, api.register(email))
    expect(201, api.log_in(email))
    return api, made


def expect(status, answer):
    """The answer's JSON, if it has this status."""
    if answer.status != status:
        raise AssertionError(f"expected {status}: {answer}")
    return answer.json if answer.text else None


class EventStream:
    """Server-sent events of one address, one after the other."""

    def __init__(self, api, path, last_event_id=None):
        self._connection = http.client.HTTPConnection("127.0.0.1", api.port,
                                                      timeout=ANSWERED_WITHIN_S)
        headers = {"Authorization": f"Bearer {api.token}", "Accept": "text/event-stream"}
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        self._connection.request("GET", path, headers=headers)
        self.response = self._connection.getresponse()

    def next(self):
        """The next event as a dict of its fields, `data` decoded; None at the stream's end."""
        fields = {}
        deadline = time.monotonic() + ANSWERED_WITHIN_S
        while time.monotonic() < deadline:
            line = self.response.readline().decode()
            if not line:
                return None
            name, _, value = line.rstrip("\r\n").partition(": ")
            if name and not name.startswith(":"):  # a comment is a heartbeat
                fields[name] = value
            elif not name and "data" in fields:
                return {**fields, "data": json.loads(fields["data"])}
        raise AssertionError(f"no event within {ANSWERED_WITHIN_S} s")

    def close(self):
        self.response.close()
        self._connection.close()
