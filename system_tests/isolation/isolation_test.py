# SPDX-License-Identifier: Apache-2.0
"""No service can open another's data, or connect to what it does not declare: tried from inside a
service's own confinement. Other users are shut out by file modes."""

import json
import os
import socket
import stat
import subprocess
import unittest

from system_tests.running.api import Api, expect
from system_tests.running.services import NAMES, Services

NOBODY = "65534"


class Isolation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.services = Services()
        cls.addClassCleanup(cls.services.close)
        ready = expect(200, Api(cls.services.port_of("order")).get("/readyz"))
        cls.not_held = ready["not_confined"]

    def needs(self, wall):
        """Skips, by its name, what this kernel cannot hold."""
        if wall in self.not_held:
            self.skipTest(f"this kernel cannot hold: {wall}")

    def tried(self, service, attempts):
        """What became of each attempt, made by this service once it is confined."""
        self.services.stop(service)
        before = self.services.log(service).stat().st_size
        self.services.start(service, {"FREEHOLD_CONFINEMENT_PROBE": ",".join(attempts)})
        self.services.until_ready(service)
        records = self.services.log(service).read_bytes()[before:].decode().splitlines()
        outcomes = {}
        for line in records:
            record = json.loads(line)
            if "tried" in record:
                outcomes[record["tried"]] = record["outcome"]
        self.assertEqual(outcomes.keys(), set(attempts), records)
        return outcomes

    def assert_all(self, outcomes, expected):
        self.assertEqual(outcomes, dict.fromkeys(outcomes, expected))

    def test_no_service_can_open_another_s_database_or_key(self):
        self.needs("files")
        for service in NAMES:
            files = [self.services.data(other) / name for other in NAMES if other != service
                     for name in ("database.sqlite", "database.sqlite-wal", f"{other}.key")]
            with self.subTest(service):
                for file in files:
                    self.assertTrue(file.exists(), file)
                self.assert_all(self.tried(service, [
                    f"{how}:{file}" for file in files
                    for how in ("read", "write", "truncate")]), "EACCES")

    def test_each_service_can_open_its_own(self):
        """Or the attempts of the others would say nothing."""
        for service in NAMES:
            with self.subTest(service):
                own = self.services.data(service) / "database.sqlite"
                self.assert_all(self.tried(service, [f"read:{own}", f"write:{own}"]), "done")

    def test_what_no_service_needs_of_the_system_is_shut(self):
        self.needs("files")
        self.assert_all(self.tried("order", [
            "read:/etc/passwd", "read:/root", "read:/home", f"write:{self.services.log('order')}",
            "write:/usr/lib/os-release"]), "EACCES")

    def test_a_service_connects_to_its_declared_peers_and_to_nobody_else(self):
        self.needs("TCP ports")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            undeclared = listener.getsockname()[1]
            ports = {name: self.services.port_of(name) for name in NAMES}
            self.assertEqual(
                self.tried("order", [f"connect:{ports['product']}", f"connect:{ports['user']}",
                                     f"connect:{undeclared}"]),
                {f"connect:{ports['product']}": "done", f"connect:{ports['user']}": "done",
                 f"connect:{undeclared}": "EACCES"})
            # The user service asks nobody.
            self.assert_all(self.tried("user", [
                f"connect:{port}" for port in (ports["product"], ports["order"], undeclared)]),
                            "EACCES")

    def test_a_service_listens_on_its_own_port_alone(self):
        self.needs("TCP ports")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            free = listener.getsockname()[1]
        self.assertEqual(self.tried("order", [f"bind:{free}"]), {f"bind:{free}": "EACCES"})

    def test_a_service_cannot_signal_another(self):
        self.needs("signals and abstract sockets")
        pid = self.services.pid("user")
        self.assertEqual(self.tried("order", [f"signal:{pid}"]), {f"signal:{pid}": "EPERM"})


class OtherUsers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.services = Services()
        cls.addClassCleanup(cls.services.close)

    def private_files(self):
        for name in NAMES:
            yield from self.services.data(name).rglob("*")

    def test_a_service_s_directory_and_files_are_for_its_user_alone(self):
        self.services.backup("order")
        for name in NAMES:
            self.assertEqual(stat.S_IMODE(self.services.data(name).stat().st_mode), 0o700)
        for path in self.private_files():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_another_user_can_open_none_of_them(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        parent = self.services.data("order").parent
        parent.chmod(0o755)  # so that it is the service's own directory that shuts them out
        try:
            self.assertTrue(self.can_nobody_read(parent / "trust/order.pub"))
            for path in self.private_files():
                self.assertFalse(self.can_nobody_read(path), path)
        finally:
            parent.chmod(0o700)

    @staticmethod
    def can_nobody_read(path):
        return subprocess.run(
            ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
             "/usr/bin/head", "-c1", path], check=False, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL).returncode == 0
