# SPDX-License-Identifier: Apache-2.0
"""deploy/local/shop: what prevents a start, and what follows one. Where a service's own behaviour
does not matter, a script stands in its place."""

import contextlib
import importlib.machinery
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "deploy/local"))
import topology  # noqa: E402
from free_ports import first_of_free_ports  # noqa: E402

SHOP = REPOSITORY / "deploy/local/shop"
DONE_WITHIN_S = 60

# Serves any request at the configured port, as soon as any service would.
SERVES = """#!/usr/bin/python3
import http.server, sys, tomllib
made = tomllib.load(open(sys.argv[2], "rb"))
if len(sys.argv) > 3: sys.exit(0)  # make-admin
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200 if self.command == "GET" else 201)
        self.end_headers()
        self.wfile.write(b'{"access_token": "x"}')
        print(self.command, self.path, flush=True)
    do_GET = do_POST = answer
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer((made["address"], made["port"]), Handler).serve_forever()
"""
CRASHES = """#!/bin/sh
date +%s.%N >>"$(dirname "$0")/starts"
echo "the disk is on fire"
exit 3
"""


def until(condition, what):
    deadline = time.monotonic() + DONE_WITHIN_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {DONE_WITHIN_S} s: {what}")
        time.sleep(0.01)


def module_of_shop():
    loader = importlib.machinery.SourceFileLoader("shop", str(SHOP))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("shop", loader))
    with mock.patch.object(sys, "dont_write_bytecode", True):
        loader.exec_module(module)
    return module


class ShopTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="freehold-shop-")
        self.addCleanup(scratch.cleanup)
        self.scratch = Path(scratch.name)
        self.place = topology.Place(self.scratch / "data", self.scratch / "build",
                                    first_of_free_ports())
        for name in ("product", "order", "user"):
            self.program(name, SERVES)

    def program(self, name, script):
        path = self.place.program(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def start(self, **place):
        command = [SHOP, "--data", place.get("data", self.place.data),
                   "--port", str(place.get("port", self.place.port)), "--build", self.place.build]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.terminate()
        with contextlib.suppress(ValueError):  # it was read already
            process.communicate(timeout=DONE_WITHIN_S)

    def open_shop(self, **place):
        process = self.start(**place)
        for line in process.stdout:
            if line.startswith("The shop is open."):
                return process
        raise AssertionError(f"it does not open: {process.stderr.read()}")

    def refusal(self, **place):
        """The one line on stderr of a start that fails and leaves nothing running."""
        process = self.start(**place)
        _, errors = process.communicate(timeout=DONE_WITHIN_S)
        self.assertNotIn(process.returncode, (0, None))
        self.assertEqual(errors.count("\n"), 1, errors)
        return errors

    def assert_nothing_runs(self):
        def running():
            return [path for path in Path("/proc").glob("[0-9]*/cmdline")
                    if str(self.scratch) in read(path)]
        until(lambda: not running(), "the end of all processes")


class NoStart(ShopTest):
    def test_a_port_in_use_is_named(self):
        for offset, name in enumerate(("gateway", "product", "order", "user")):
            with socket.create_server(("127.0.0.1", self.place.port + offset)):
                self.assertIn(f"port {self.place.port + offset} (for {name}) cannot be used",
                              self.refusal())
        self.assert_nothing_runs()

    def test_a_port_that_does_not_exist_is_named(self):
        self.assertIn("there is no port 65536", self.refusal(port=65534))

    def test_a_directory_that_cannot_be_written_is_named(self):
        (self.scratch / "file").touch()
        self.assertIn(f"{self.scratch / 'file'}/data cannot be written",
                      self.refusal(data=self.scratch / "file/data"))

    @unittest.skipIf(os.geteuid() == 0, "root may write everywhere")
    def test_a_directory_of_somebody_else_is_named(self):
        self.assertIn("cannot be written", self.refusal(data="/root/shop"))

    def test_a_missing_package_is_named(self):
        shop = module_of_shop()
        for name, value in (("ECHO_MODULE", "/nowhere"),):
            with mock.patch.object(shop, name, value), self.assertRaises(shop.CannotRun) as raised:
                shop.check_packages(topology.read(), self.place)
            self.assertIn("libnginx-mod-http-echo is missing", str(raised.exception))
        with mock.patch("shutil.which", return_value=None), \
                self.assertRaises(shop.CannotRun) as raised:
            shop.check_packages(topology.read(), self.place)
        self.assertIn("nginx-light is missing", str(raised.exception))

    def test_a_missing_program_is_named(self):
        self.place.program("order").unlink()
        self.assertIn(f"there is no program {self.place.program('order')}", self.refusal())

    def test_a_service_that_cannot_start_is_named_with_its_last_words(self):
        self.program("order", CRASHES)
        line = self.refusal()
        self.assertIn("order ends whenever it is started", line)
        self.assertIn("the disk is on fire", line)
        self.assert_nothing_runs()

    def test_a_second_shop_on_one_directory_is_refused_and_the_first_runs_on(self):
        first = self.open_shop()
        self.assertIn("runs on", self.refusal(port=first_of_free_ports()))
        self.assertIsNone(first.poll())


class Start(ShopTest):
    def posts(self):
        return [line for line in read(self.place.logs / "product.log").splitlines()
                if line.startswith("POST")]

    def test_the_log_ins_are_drawn_once_and_for_us_alone(self):
        self.end(self.open_shop())
        demo = self.place.data / "demo.json"
        first = json.loads(demo.read_text())
        self.assertEqual(demo.stat().st_mode & 0o777, 0o600)
        self.assertEqual({role: sorted(account) for role, account in first.items()},
                         {"admin": ["email", "password"], "customer": ["email", "password"]})
        self.end(self.open_shop())
        self.assertEqual(json.loads(demo.read_text()), first)

    def test_the_demo_is_loaded_at_the_first_start_alone(self):
        self.end(self.open_shop())
        self.assertGreaterEqual(len(self.posts()), 50)
        loaded = len(self.posts())
        self.end(self.open_shop())
        self.assertEqual(len(self.posts()), loaded)

    def test_a_start_that_was_killed_while_it_loaded_is_taken_up_by_the_next(self):
        first = self.start()
        until(lambda: len(self.posts()) > 5, "the first products")
        first.kill()
        self.assert_nothing_runs()
        self.assertFalse((self.place.data / "seeded").exists())
        self.open_shop()
        self.assertTrue((self.place.data / "seeded").exists())

    def test_others_may_not_look_into_a_service_s_directory(self):
        self.open_shop()
        for name in ("product", "order", "user", "run", "logs"):
            self.assertEqual((self.place.data / name).stat().st_mode & 0o777, 0o700, name)

    def test_each_way_to_end_it_leaves_nothing_running(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
            with self.subTest(number.name):
                shop = self.open_shop()
                shop.send_signal(number)
                code = shop.wait(DONE_WITHIN_S)
                self.assertEqual(code, -signal.SIGKILL if number == signal.SIGKILL else 0)
                self.assert_nothing_runs()

    def test_it_stops_the_gateway_first_and_the_services_last_started_first(self):
        self.end(self.open_shop())
        stopped = [line.split("stopped: ")[1].split()[0]
                   for line in read(self.place.logs / "supervisord.log").splitlines()
                   if "stopped: " in line]
        self.assertEqual(stopped, ["gateway", "user", "order", "product"])

    def test_settings_of_our_environment_do_not_reach_past_the_topology(self):
        with mock.patch.dict(os.environ, FREEHOLD_PORT="1", FREEHOLD_LOG_LEVEL="debug"):
            passed = module_of_shop().environment(None)
        self.assertNotIn("FREEHOLD_PORT", passed)
        self.assertEqual(passed["FREEHOLD_LOG_LEVEL"], "debug")


class Restart(ShopTest):
    def test_a_service_that_keeps_crashing_is_started_again_within_a_second_each_time(self):
        self.open_shop()
        self.program("order", CRASHES)
        pid = next(int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline")
                   if str(self.place.program("order")) in read(path))
        crashed = time.time()
        os.kill(pid, signal.SIGKILL)
        starts = self.place.program("order").parent / "starts"
        until(lambda: read(starts).count("\n") >= 20, "twenty starts")
        times = [crashed, *map(float, read(starts).splitlines()[:20])]
        self.assertLess(max(after - before for before, after in zip(times, times[1:])), 1)


def read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    unittest.main()
