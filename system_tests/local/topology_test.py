# SPDX-License-Identifier: Apache-2.0
"""What is made from deploy/local/topology.toml."""

import configparser
import shlex
import subprocess
import sys
import tempfile
import tomllib
import unittest
import urllib.parse
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY / "deploy/local"))
import topology  # noqa: E402

NGINX = "/usr/sbin/nginx"


class Generated(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="freehold topology ")  # a space, on purpose
        self.addCleanup(scratch.cleanup)
        self.place = topology.Place(Path(scratch.name) / "shop", Path("/build"), 9000)
        self.place.logs.mkdir(parents=True)
        self.layout = topology.read()
        topology.check_place(self.place)
        topology.generate(self.layout, self.place)

    def service(self, name):
        return tomllib.loads(self.place.configuration(name).read_text())

    def test_each_service_has_its_own_directory_and_the_next_port(self):
        for name, port in (("product", 9001), ("order", 9002), ("user", 9003)):
            made = self.service(name)
            self.assertEqual(made["data"], str(self.place.data / name))
            self.assertEqual(made["trust"], str(self.place.data / "trust"))
            self.assertEqual((made["address"], made["port"]), ("127.0.0.1", port))

    def test_a_service_knows_its_declared_peers_and_no_others(self):
        self.assertEqual(self.service("product")["peers"],
                         {"order": ["127.0.0.1:9002"], "user": ["127.0.0.1:9003"]})
        self.assertEqual(self.service("product")["callers"], ["order"])
        self.assertEqual(self.service("user")["peers"], {})

    def test_erasures_are_kept_for_as_long_as_a_backup_may_be_old(self):
        self.assertEqual(self.service("user")["retention-days"], 31)
        self.assertEqual(self.service("order")["retention-days"], 7)

    def test_supervisor_runs_every_service_and_the_gateway_last(self):
        made = configparser.RawConfigParser()
        made.read(self.place.run / "supervisord.conf")
        programs = {section.removeprefix("program:"): made[section] for section in made.sections()
                    if section.startswith("program:")}
        by_start = sorted(programs, key=lambda name: int(programs[name]["priority"]))
        self.assertEqual(by_start, ["product", "order", "user", "gateway"])
        command = shlex.split(programs["order"]["command"])
        self.assertEqual(command[-3:], ["/build/shop/order/order", "--config",
                                        str(self.place.run / "order.toml")])

    def test_supervisor_never_waits_before_a_restart_and_never_gives_up(self):
        made = configparser.RawConfigParser()
        made.read(self.place.run / "supervisord.conf")
        for section in made.sections():
            if section.startswith("program:"):
                self.assertEqual(made[section]["startsecs"], "0", section)
                self.assertEqual(made[section]["autorestart"], "true", section)

    def test_in_the_local_profile_nobody_hears_of_a_server(self):
        self.assertNotIn("database-url", self.service("order"))
        self.assertNotIn("program:postgres", (self.place.run / "supervisord.conf").read_text())

    def test_nginx_accepts_its_configuration(self):
        tried = subprocess.run(
            [NGINX, "-t", "-p", str(self.place.run / "nginx"), "-e", "stderr",
             "-c", str(self.place.run / "nginx/nginx.conf")],
            capture_output=True, text=True, check=False)
        self.assertEqual(tried.returncode, 0, tried.stderr)

    def test_all_of_nginx_s_files_are_in_the_data_directory(self):
        for line in (self.place.run / "nginx/nginx.conf").read_text().splitlines():
            words = line.split("#")[0].split(maxsplit=1)
            if words and (words[0] in ("pid", "access_log") or words[0].endswith("_temp_path")):
                self.assertTrue(words[1].startswith(f'"{self.place.data}/'), line)


class Scale(unittest.TestCase):
    """The profile in which PostgreSQL keeps the services' data."""

    def generate(self, database_urls=None):
        scratch = tempfile.TemporaryDirectory(prefix="freehold topology ")
        self.addCleanup(scratch.cleanup)
        self.place = topology.Place(Path(scratch.name) / "shop", Path("/build"), 9000, "scale",
                                    database_urls or {})
        self.place.logs.mkdir(parents=True)
        topology.generate(topology.read(), self.place)
        self.made = configparser.RawConfigParser()
        self.made.read(self.place.run / "supervisord.conf")

    def service(self, name):
        return tomllib.loads(self.place.configuration(name).read_text())

    def test_each_service_has_its_own_roles_on_the_private_cluster(self):
        self.generate()
        for name in ("product", "order", "user"):
            for key, role in (("database-url", "application"), ("migrator-url", "migrator")):
                url = urllib.parse.urlsplit(self.service(name)[key])
                self.assertEqual((url.username, url.port, url.path),
                                 (f"{name}_{role}", 9004, f"/{name}"))
                credentials = self.place.data / "postgres/credentials"
                self.assertEqual(urllib.parse.parse_qs(url.query)["passfile"],
                                 [str(credentials / f"{name}_{role}.pgpass")])

    def test_the_cluster_starts_first_and_the_rest_when_it_is_there(self):
        self.generate()
        programs = {section.removeprefix("program:"): self.made[section]
                    for section in self.made.sections() if section.startswith("program:")}
        self.assertEqual(sorted(programs, key=lambda name: int(programs[name]["priority"])),
                         ["postgres", "product", "product-2", "order", "order-2", "user",
                          "gateway"])
        self.assertEqual({name for name, program in programs.items()
                          if program["autostart"] == "true"}, {"postgres"})
        self.assertEqual(programs["postgres"]["stopsignal"], "INT")

    def test_instances_of_a_service_differ_in_their_port_and_in_whom_they_ask_first(self):
        self.generate()
        first, second = self.service("product"), self.service("product-2")
        self.assertEqual((first.pop("port"), second.pop("port")), (9001, 9005))
        self.assertEqual(first["peers"].pop("order"), ["127.0.0.1:9002", "127.0.0.1:9006"])
        self.assertEqual(second["peers"].pop("order"), ["127.0.0.1:9006", "127.0.0.1:9002"])
        self.assertEqual(first, second)
        self.assertEqual(shlex.split(self.made["program:product-2"]["command"])[-3:], [
            "/build/shop/product/product", "--config",
            str(self.place.run / "product-2.toml")])

    def test_the_gateway_speaks_to_all_instances(self):
        self.generate()
        made = (self.place.run / "nginx/nginx.conf").read_text()
        self.assertRegex(made, "upstream order { server 127.0.0.1:9002 .*"
                               "server 127.0.0.1:9006 .*keepalive")
        self.assertIn("upstream user { server 127.0.0.1:9003 max_fails=0; keepalive", made)

    def test_a_server_that_is_there_is_used_as_it_is(self):
        url = "postgresql://order_application@10.0.0.1/order?passfile=/p"
        self.generate({"order": url})
        self.assertEqual(self.service("order")["database-url"], url)
        self.assertNotIn("migrator-url", self.service("order"))
        self.assertEqual(self.service("order-2")["database-url"], url)
        self.assertIn("9004", self.service("user")["database-url"])

    def test_without_a_service_on_it_there_is_no_cluster(self):
        self.generate(dict.fromkeys(("order", "product", "user"), "postgresql://a@b/c"))
        self.assertNotIn("program:postgres", self.made.sections())
        self.assertEqual(self.made["program:order"]["autostart"], "true")


class Refused(unittest.TestCase):
    def refusal(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(text)
            file.flush()
            with self.assertRaises(topology.TopologyError) as raised:
                topology.read(Path(file.name))
        return str(raised.exception)

    def changed(self, old, new):
        text = topology.TOPOLOGY.read_text()
        self.assertIn(old, text)
        return self.refusal(text.replace(old, new))

    def test_a_peer_that_is_no_service_is_named(self):
        self.assertIn("unknown peer 'payment'",
                      self.changed('["order", "user"]', '["order", "payment"]'))

    def test_a_caller_must_be_a_peer(self):
        self.assertIn("'order' calls product", self.changed('["order", "user"]', '["user"]'))

    def test_two_services_cannot_share_a_port(self):
        self.assertIn("port_offset", self.changed("port_offset = 3", "port_offset = 2"))

    def test_two_services_cannot_share_a_route(self):
        self.assertIn("one route", self.changed('"/api/orders"', '"/api/products"'))

    def test_a_route_is_below_api(self):
        self.assertIn("'/metrics'", self.changed('"/api/orders"', '"/metrics"'))

    def test_a_missing_key_is_named(self):
        self.assertIn("'callers' is missing", self.changed('callers = ["order"]', ""))

    def test_a_directory_that_some_configuration_could_not_hold_is_refused(self):
        for name in ('a"b', "a%b", "a;b", "a$b", "a{b", "a\nb", "x" * 100):
            with self.assertRaises(topology.TopologyError, msg=name):
                topology.check_place(topology.Place(Path("/tmp") / name, Path("/build"), 9000))


if __name__ == "__main__":
    unittest.main()
