# SPDX-License-Identifier: Apache-2.0
"""The shop as everybody runs it: `./run shop`, in a directory and on ports of its own."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from system_tests.checker.rows import rows_of_server
from system_tests.local.free_ports import first_of_free_ports
from system_tests.running.api import Api, Unanswered, expect, new_key
from system_tests.running.waiting import until

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "deploy/local"))
sys.path.insert(0, str(REPOSITORY / "deploy/postgres"))
import cluster as deployed  # noqa: E402
import topology  # noqa: E402

BUILD = Path(os.environ.get("FREEHOLD_BUILD", REPOSITORY / "build/test"))
ERASE_WITHIN_S = 2  # in place of half an hour
READY_WITHIN_S = 120
STOPPED_WITHIN_S = 60


class WholeShop:
    """A shop that is open. Its data directory goes away with it."""

    def __init__(self, profile="local"):
        self._scratch = tempfile.TemporaryDirectory(prefix="freehold-system-")
        os.chmod(self._scratch.name, 0o711)  # as root, PostgreSQL runs as another user
        self.profile = profile
        self.data = Path(self._scratch.name) / "data"
        self.port = first_of_free_ports()
        self._process = subprocess.Popen(
            [REPOSITORY / "run", "shop", "--data", self.data, "--port", str(self.port),
             "--profile", profile],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "FREEHOLD_BUILD": str(BUILD),
                 "FREEHOLD_ERASE_WITHIN_S": str(ERASE_WITHIN_S)})
        said = []
        for line in self._process.stdout:  # it ends, or is open, within its own deadline
            said.append(line)
            if line.startswith("The shop is open."):
                return
        self.stop()
        raise AssertionError("the shop does not open:\n" + "".join(said))

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOPPED_WITHIN_S)
        self._process.stdout.close()
        self._scratch.cleanup()

    def port_of(self, name):
        """Of `gateway`, `postgres` or an instance of a service."""
        return topology.read().port(self._place(), name)

    def instances(self, service=None):
        """The names of a service's instances, or of all."""
        return [each.name for each in topology.read().instances(self._place(), service)]

    def _place(self):
        return topology.Place(self.data, BUILD, self.port, self.profile)

    def log_in(self, role):
        """One of the demo's people, `admin` or `customer`, logged in at the gateway."""
        account = json.loads((self.data / "demo.json").read_text())[role]
        api = Api(self.port)
        expect(201, api.log_in(account["email"], account["password"]))
        return api

    # ---- for the checker: each service by itself, as Services has it

    def admin(self):
        return self.log_in("admin").token

    def rows(self, service, queries):
        """In the profile `scale`."""
        return rows_of_server(self.cluster().server(), service, queries)

    # ---- what an operator does

    def stop_service(self, name):
        """All its instances."""
        for instance in self.instances(name):
            self.stop_instance(instance)

    def start_service(self, name):
        for instance in self.instances(name):
            self.start_instance(instance)

    def stop_instance(self, name):
        self._supervisorctl("stop", name)

    def start_instance(self, name):
        self._supervisorctl("start", name)
        until(lambda: is_ready(self.port_of(name)), f"{name} is ready again", READY_WITHIN_S)

    def command(self, instance, *words):
        """Runs one operator command of a service's instance, as a person would; its output."""
        service = instance.partition("-")[0]
        done = subprocess.run(
            [BUILD / "shop" / service / service, "--config", self.data / f"run/{instance}.toml",
             *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"{instance} {words}: {done.stdout}{done.stderr}")
        return done.stdout

    def change(self, service, statement):
        """Changes rows of a service behind its back; AssertionError if there are none."""
        if self.profile == "scale":
            changed = self.cluster().server().run(
                f"\\connect {service}\nwith changed as ({statement} returning 1) "
                "select count(*) from changed")
        else:
            self.stop_service(service)
            with sqlite3.connect(self.data / service / "database.sqlite") as database:
                changed = database.execute(statement).rowcount
            database.close()
            self.start_service(service)
        if int(changed) < 1:
            raise AssertionError(f"no row was changed: {statement}")

    def cluster(self):
        """The private cluster of the profile `scale`."""
        return deployed.Cluster(self.data / "postgres", self.port_of("postgres"))

    def _supervisorctl(self, *words):
        subprocess.run([sys.executable, "/usr/bin/supervisorctl", "-c",
                        self.data / "run/supervisord.conf", *words],
                       check=True, stdout=subprocess.DEVNULL)


def is_ready(port):
    try:
        return Api(port, timeout_s=2).get("/readyz").status == 200
    except Unanswered:
        return False


def make_product(admin, stock, price_minor=1000, name="Thing", currency="EUR", **members):
    """A new product of the catalogue, as the admin was answered."""
    return expect(201, admin.post("/api/products", {
        "sku": f"T-{new_key()}", "name": name, "stock": stock,
        "price": {"amount_minor": price_minor, "currency": currency}, **members}))
