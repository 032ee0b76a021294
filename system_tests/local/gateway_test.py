# SPDX-License-Identifier: Apache-2.0
"""The gateway alone: a real nginx with the real configuration, and in place of each service an HTTP
server that answers with what it was asked."""

import contextlib
import http.client
import http.server
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "deploy/local"))
import topology  # noqa: E402
from free_ports import first_of_free_ports  # noqa: E402

STARTED_WITHIN_S = 20


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.server.connections.append(self.request)
        super().setup()

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(self.command)
        if self.server.breaks_off > 0:
            self.server.breaks_off -= 1
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
            return
        time.sleep(self.server.answers_after_s)
        said = json.dumps({"service": self.server.name, "path": self.path,
                           "headers": {k.lower(): v for k, v in self.headers.items()},
                           "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        with contextlib.suppress(BrokenPipeError):  # who has waited long enough
            self.end_headers()
            self.wfile.write(said)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class Service:
    def __init__(self, name, port, breaks_off=0, answers_after_s=0):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Echo)
        self.server.daemon_threads = True
        self.server.name, self.server.breaks_off = name, breaks_off
        self.server.answers_after_s = answers_after_s
        self.server.requests, self.server.connections = [], []
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        for connection in self.server.connections:  # nginx keeps them open
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server.server_close()


class Gateway(unittest.TestCase):
    profile = "local"

    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="freehold-gateway-")
        cls.addClassCleanup(scratch.cleanup)
        cls.layout = topology.read()
        cls.place = topology.Place(Path(scratch.name), Path("/build"), first_of_free_ports(),
                                   cls.profile)
        cls.place.logs.mkdir()
        topology.generate(cls.layout, cls.place)
        nginx = subprocess.Popen(
            ["/usr/sbin/nginx", "-p", str(cls.place.run / "nginx"), "-e", "stderr",
             "-c", str(cls.place.run / "nginx/nginx.conf"), "-g", "daemon off;"],
            stderr=subprocess.DEVNULL)
        cls.addClassCleanup(nginx.wait)
        cls.addClassCleanup(nginx.terminate)
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not listens(cls.place.port):
            if time.monotonic() > deadline or nginx.poll() is not None:
                raise RuntimeError("nginx does not listen")
            time.sleep(0.01)

    def service(self, name, **options):
        service = Service(name, self.layout.port(self.place, name), **options)
        self.addCleanup(service.stop)
        return service

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=20)
        self.addCleanup(connection.close)
        connection.putrequest(method, path)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer, json.loads(answer.read())

    def assert_problem(self, answered, status, name):
        answer, problem = answered
        self.assertEqual(answer.status, status, problem)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertEqual(problem["type"], f"/problems/gateway/{name}")
        self.assertEqual(problem["code"], f"gateway/{name}")
        self.assertEqual(problem["status"], status)
        self.assertTrue(problem["title"])


class OneInstance(Gateway):
    def test_each_path_goes_to_its_owner_as_it_came(self):
        for service in self.layout.services:
            self.service(service.name)
        for path, name in {"/api/products?search=a%20b&limit=2": "product",
                           "/api/products/1/stock-adjustments": "product",
                           "/api/orders": "order", "/api/orders/1/events": "order",
                           "/api/users/me": "user", "/api/sessions/current": "user",
                           "/api/.well-known/jwks.json": "user"}.items():
            answer, said = self.ask("GET", path)
            self.assertEqual((answer.status, said["service"], said["path"]), (200, name, path))

    def test_nothing_but_the_public_paths_is_there(self):
        for service in self.layout.services:
            self.service(service.name)
        for path in ("/", "/feed", "/operator", "/operator/make-admin", "/metrics", "/livez",
                     "/readyz", "/openapi.json", "/api", "/api/", "/api/nothing", "/api/productsx",
                     "/api/products/../../metrics", "/metrics/../api/products",
                     "/api/products/%2e%2e/%2e%2e/feed", "/feed/%2e%2e/api/products", "//feed",
                     "/problems/gateway/failed"):
            with self.subTest(path):
                self.assert_problem(self.ask("GET", path), 404, "unknown_path")

    def test_nobody_can_claim_a_service_s_identity_or_another_address(self):
        self.service("order")
        said = self.ask("GET", "/api/orders", headers={
            "Freehold-Identity": "forged", "X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6"})[1]
        self.assertNotIn("freehold-identity", said["headers"])
        self.assertEqual(said["headers"]["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(said["headers"]["x-real-ip"], "127.0.0.1")

    def test_the_headers_of_the_api_pass(self):
        self.service("order")
        sent = {"authorization": "Bearer x", "idempotency-key": "k", "prefer": "wait=5",
                "if-match": '"3"', "last-event-id": "7", "content-type": "application/json",
                "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
        said = self.ask("POST", "/api/orders", b"{}", sent)[1]
        self.assertEqual({name: said["headers"].get(name) for name in sent}, sent)
        self.assertEqual(said["body"], "{}")

    def test_sizes_are_limited(self):
        order = self.service("order")
        self.assert_problem(self.ask("POST", "/api/orders", b"x" * (256 * 1024 + 1)), 413,
                            "body_too_large")
        self.assert_problem(self.ask("GET", "/api/orders?x=" + "x" * 9000), 431, "head_too_large")
        self.assert_problem(self.ask("GET", "/api/orders", headers={"X": "x" * 9000}), 431,
                            "head_too_large")
        self.assertEqual(order.server.requests, [])
        self.assertEqual(self.ask("POST", "/api/orders", b"x" * (256 * 1024))[0].status, 200)

    def test_what_is_no_http_is_a_problem_too(self):
        with socket.create_connection(("127.0.0.1", self.place.port), timeout=20) as connection:
            connection.sendall(b"GET /api/products HTTP/1.1\r\n\r\n")  # without a Host
            head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
        self.assertIn(b" 400 ", head)
        self.assertEqual(json.loads(body)["type"], "/problems/gateway/malformed_request")

    def test_a_service_that_is_away_costs_its_own_paths_alone(self):
        self.service("product")
        answered = self.ask("POST", "/api/orders", b"{}")
        self.assert_problem(answered, 503, "service_unavailable")
        self.assertEqual(answered[0].headers["Retry-After"], "1")
        self.assertEqual(self.ask("GET", "/api/products")[0].status, 200)

    def test_a_request_that_may_be_repeated_waits_for_a_restart(self):
        """The service comes back a second after the first attempt was refused."""
        for method, headers in (("GET", {}), ("POST", {"Idempotency-Key": "k"})):
            with self.subTest(method):
                back = threading.Timer(1.0, lambda: self.service("order"))
                back.start()
                answer, said = self.ask(method, "/api/orders", b'{"lines":[]}', headers)
                back.join()
                self.assertEqual(answer.status, 200, said)
                self.assertEqual(said["body"], '{"lines":[]}')
                self.doCleanups()

    def test_a_service_that_stays_away_is_given_up(self):
        began = time.monotonic()
        self.assert_problem(self.ask("GET", "/api/orders"), 503, "service_unavailable")
        self.assertGreater(time.monotonic() - began, 1)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_service_that_hangs_is_waited_for_ten_seconds_or_as_long_as_an_order_may_take(self):
        self.service("product", answers_after_s=12)
        self.service("order", answers_after_s=12)
        placed = []
        waiting = threading.Thread(target=lambda: placed.append(self.ask(
            "POST", "/api/orders", b"{}", {"Idempotency-Key": "k", "Prefer": "wait=30"})))
        waiting.start()
        began = time.monotonic()
        self.assert_problem(self.ask("GET", "/api/products"), 504, "no_answer")
        self.assertLess(time.monotonic() - began, 11.5)
        waiting.join()
        self.assertEqual(placed[0][0].status, 200)

    def test_a_service_that_takes_no_connection_is_unavailable_after_a_second(self):
        with socket.socket() as full:
            full.bind(("127.0.0.1", self.layout.port(self.place, "user")))
            full.listen(0)
            with contextlib.ExitStack() as taken:
                for _ in range(2):
                    one = taken.enter_context(socket.socket())
                    one.setblocking(False)
                    one.connect_ex(full.getsockname())
                began = time.monotonic()
                self.assert_problem(self.ask("POST", "/api/users", b"{}"), 503,
                                    "service_unavailable")
                self.assertLess(time.monotonic() - began, 3)

    def test_an_answer_that_was_broken_off_is_asked_for_again(self):
        order = self.service("order", breaks_off=2)
        self.assertEqual(self.ask("POST", "/api/orders", b"{}", {"Idempotency-Key": "k"})[0].status,
                         200)
        self.assertEqual(order.server.requests, ["POST"] * 3)

    def test_what_may_have_had_an_effect_is_not_sent_twice(self):
        a_key = {"Idempotency-Key": "k"}  # which this address does not look at
        for method, headers in (("POST", {}), ("POST", a_key), ("PATCH", a_key), ("DELETE", a_key)):
            with self.subTest(method, headers=headers):
                user = self.service("user", breaks_off=1)
                self.assert_problem(self.ask(method, "/api/users/me", b"{}", headers), 503,
                                    "service_unavailable")
                self.assertEqual(user.server.requests, [method])
                self.doCleanups()


class SeveralInstances(Gateway):
    profile = "scale"
    asked = 40

    def answers(self, method, path, headers=None):
        """How often which instance answered."""
        answered = Counter()
        for _ in range(self.asked):
            answer, said = self.ask(method, path, b"{}", headers)
            self.assertEqual(answer.status, 200, said)
            answered[said["service"]] += 1
        return answered

    def test_requests_are_shared_out(self):
        self.service("order")
        self.service("order-2")
        answered = self.answers("GET", "/api/orders")
        self.assertGreater(min(answered["order"], answered["order-2"]), self.asked // 4, answered)

    def test_an_instance_that_is_away_costs_no_request_whatever_it_asks(self):
        for there in ("order", "order-2"):
            self.service(there)
            for method in ("GET", "POST", "PATCH"):
                with self.subTest(method, there=there):
                    self.assertEqual(self.answers(method, "/api/orders/1"), {there: self.asked})
            self.doCleanups()

    def test_an_instance_that_returns_is_asked_again(self):
        self.service("order")
        self.answers("GET", "/api/orders")
        self.service("order-2")
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not self.answers("GET", "/api/orders")["order-2"]:
            self.assertLess(time.monotonic(), deadline)

    def test_what_may_have_had_an_effect_is_not_sent_to_another_instance(self):
        for method in ("POST", "PATCH", "DELETE", "PUT"):
            with self.subTest(method):
                instances = [self.service(name, breaks_off=1) for name in ("order", "order-2")]
                self.assert_problem(self.ask(method, "/api/orders/1/cancellation", b"{}",
                                             {"Idempotency-Key": "k"}), 503, "service_unavailable")
                self.assertEqual(sum((each.server.requests for each in instances), []), [method])
                self.doCleanups()

    def test_what_its_key_makes_single_is_sent_to_another_instance(self):
        first, second = (self.service(name, breaks_off=1) for name in ("order", "order-2"))
        answer, said = self.ask("POST", "/api/orders", b"{}", {"Idempotency-Key": "k"})
        self.assertEqual(answer.status, 200, said)
        self.assertEqual(len(first.server.requests + second.server.requests), 3)


if __name__ == "__main__":
    unittest.main()
