# SPDX-License-Identifier: Apache-2.0
"""The shop in the profile in which PostgreSQL keeps its data: each service in its own database and
as its own role, whatever becomes of the server."""

import json
import os
import signal
import subprocess
import threading
import unittest
from pathlib import Path

from system_tests.running.api import Api, expect, new_key
from system_tests.running.private_cluster import deployed, roles
from system_tests.running.services import answered
from system_tests.running.waiting import until
from system_tests.running.whole_shop import BUILD, WholeShop, make_product

SERVICES = ("product", "order", "user")
ENDS_WITHIN_S = 30


class Scale(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shop = WholeShop("scale")
        cls.addClassCleanup(cls.shop.stop)
        cls.cluster = cls.shop.cluster()
        cls.admin = cls.shop.log_in("admin")
        cls.customer = cls.shop.log_in("customer")

    def rows(self, script):
        return self.cluster.server().run(script).splitlines()

    def program(self, service, *words):
        return [BUILD / "shop" / service / service, "--config",
                self.shop.data / f"run/{service}.toml", *words]

    def refused(self, service, *words):
        """What a command says that does not succeed."""
        done = subprocess.run(self.program(service, *words), capture_output=True, text=True,
                              check=False, timeout=ENDS_WITHIN_S)
        self.assertEqual(done.returncode, 1, done.stdout)
        return done.stderr

    def final(self, order_id):
        order = expect(200, answered(lambda: self.customer.get(f"/api/orders/{order_id}"), "order"))
        return order if order["status"] != "pending" else None

    def test_each_service_is_in_its_own_database_as_its_own_role_alone(self):
        seen = self.rows("select distinct datname, usename from pg_stat_activity "
                         "where datname is not null and usename <> current_user order by 1, 2")
        self.assertEqual(seen, [f"{name}\t{name}_application" for name in sorted(SERVICES)])
        for service in SERVICES:
            self.assertEqual([file.name for file in (self.shop.data / service).glob("*.sqlite*")],
                             [])

    def test_a_service_connects_to_its_server_and_not_to_what_it_does_not_declare(self):
        expect(200, self.admin.get("/api/orders"))
        port, other = self.cluster.port, self.shop.port
        self.shop.stop_instance("order")
        try:
            confined = subprocess.Popen(
                self.program("order"), stdout=subprocess.PIPE, text=True,
                env={**os.environ, "FREEHOLD_CONFINEMENT_PROBE":
                     f"connect:{port},connect:{other},read:{self.password('order', 'application')},"
                     f"read:{self.password('user', 'application')}"})
            outcomes = {}
            for line in confined.stdout:
                record = json.loads(line)
                if "tried" in record:
                    outcomes[record["tried"]] = record["outcome"]
                if record["event"] == "serving":
                    break
            confined.terminate()
            confined.wait(ENDS_WITHIN_S)
            confined.stdout.close()
        finally:
            self.shop.start_instance("order")
        self.assertEqual(outcomes, {
            f"connect:{port}": "done", f"connect:{other}": "EACCES",
            f"read:{self.password('order', 'application')}": "done",
            f"read:{self.password('user', 'application')}": "EACCES"})

    def password(self, service, role):
        return roles.pgpass(self.cluster.credentials, service, role)

    def test_orders_outlive_the_server_and_each_has_its_effect_once(self):
        product = make_product(self.admin, 1000)["id"]
        accepted, keys = [], [new_key() for _ in range(60)]

        def order():
            customer = self.shop.log_in("customer")
            for key in keys:
                answer = answered(lambda: customer.place([(product, 2)], key=key), "an order")
                accepted.append(expect(202, answer)["id"])

        ordering = threading.Thread(target=order)
        ordering.start()
        for kill_after in (10, 30):
            until(lambda: len(accepted) >= kill_after, "orders are accepted")
            os.kill(self.postmaster(), signal.SIGKILL)
        ordering.join()
        self.assertEqual(len(set(accepted)), len(keys))
        for order_id in accepted:
            self.assertEqual(until(lambda: self.final(order_id), "final")["status"], "confirmed")
        again = answered(lambda: self.customer.place([(product, 2)], key=keys[0]), "a repeat")
        self.assertEqual(expect(202, again)["id"], accepted[0])

        def stock():
            return expect(200, answered(
                lambda: self.admin.get(f"/api/products/{product}/stock"), "stock"))
        until(lambda: stock()["reserved"] == 0, "nothing is reserved any more")
        self.assertEqual((stock()["on_hand"], stock()["sold"]), (1000 - 120, 120))

    def postmaster(self):
        """The server's process, which is another one after each kill."""
        def found():
            try:
                return int((self.cluster.data / "postmaster.pid").read_text().split()[0])
            except (OSError, IndexError):
                return None
        pid = until(found, "there is a server")
        self.assertIn("postgres", Path(f"/proc/{pid}/comm").read_text())
        return pid

    def test_a_replica_is_rebuilt_as_the_role_that_may_make_tables(self):
        owned = self.rows("\\connect product\nselect count(*) from product")
        until(self.rebuilds, "the product service, which has just started, can be read")
        self.assertEqual(self.rows("\\connect order\nselect count(*) from product_replica"), owned)
        product = make_product(self.admin, 5)["id"]
        self.assertEqual(expect(201, self.customer.place([(product, 1)], wait_s=20))["status"],
                         "confirmed")
        self.assertEqual(self.rows("\\connect order\nselect tableowner from pg_tables "
                                   "where tablename = 'product_replica'"), ["order_owner"])

    def rebuilds(self):
        return subprocess.run(self.program("order", "rebuild", "product_replica"), check=False,
                              capture_output=True, timeout=ENDS_WITHIN_S).returncode == 0

    def test_what_does_not_work_there_says_what_does(self):
        self.assertIn("pg_dump", self.refused("order", "backup", "b"))
        dump = subprocess.run([deployed.PROGRAMS / "pg_dump", "--schema-only", roles.conninfo(
            "127.0.0.1", self.cluster.port, "order", "migrator", self.cluster.credentials)],
            capture_output=True, text=True, check=False)
        self.assertIn("customer_order", dump.stdout, dump.stderr)
        self.assertIn('"set_aside":[]', self.shop.command("order", "parked"))
        self.assertIn("ready for a rollout", self.shop.command("order", "check"))

    def test_each_instance_serves_and_is_measured_by_itself(self):
        instances = self.shop.instances()
        self.assertEqual(instances, ["product", "product-2", "order", "order-2", "user"])
        for _ in range(4):  # they take turns
            expect(200, self.customer.get("/api/orders"))
        for instance in instances:
            api = Api(self.shop.port_of(instance))
            self.assertEqual(expect(200, api.get("/readyz"))["status"], "ready")
            measured = api.get("/metrics").text
            if instance.startswith("order"):
                self.assertIn('freehold_http_answers_total{method="GET",route="/api/orders",'
                              'status="200"}', measured)


if __name__ == "__main__":
    unittest.main()
