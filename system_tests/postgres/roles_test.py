# SPDX-License-Identifier: Apache-2.0
"""Nobody is in anybody else's database: each role is tried with each database, and each kind of
role with what it may not do. On a cluster of our own, as deploy/postgres makes it."""

import os
import shutil
import signal
import stat
import subprocess
import unittest
from pathlib import Path

from system_tests.running.private_cluster import PrivateCluster, deployed, roles
from system_tests.running.waiting import until
from system_tests.running.whole_shop import REPOSITORY

SERVICES = ("product", "order", "user")
DATABASES = (*SERVICES, "postgres", "template1", "template0")
NOBODY = 65534

# What takes part in a schema. `thing` is a table that the migrator made.
CHANGES_OF_A_SCHEMA = (
    "create table mine (id int)",
    "create temporary table mine (id int)",
    "select 1 as one into mine",
    "create view mine as select 1",
    "create sequence mine",
    "create type mine as (id int)",
    "create function mine() returns int language sql as 'select 1'",
    "create schema mine",
    "create extension pg_trgm",
    "create index on thing (note)",
    "create trigger mine before update on thing for each row"
    " execute function suppress_redundant_updates_trigger()",
    "alter table thing add column more int",
    "alter table thing rename to other",
    "alter table thing owner to current_user",
    "alter sequence thing_id_seq restart",
    "alter schema public rename to other",
    'alter database "{service}" rename to other',
    "truncate thing",
    "drop table thing",
    "drop schema public cascade",
    "comment on table thing is 'mine'",
    "alter default privileges grant all on tables to public; create table mine (id int)",
    "set role {service}_owner",
    "set role {service}_migrator",
    "create role mine",
    "create database mine",
)
WRITES = (
    "insert into thing (note) values ('more')",
    "update thing set note = 'other'",
    "delete from thing",
    "select nextval('thing_id_seq')",
    "select note from thing for update",
)
GRANT = "grant all on thing to public"  # without the right to, it does nothing and says so


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = PrivateCluster()
        cls.addClassCleanup(cls.running.close)
        for service in SERVICES:
            cls.running.done(service, "migrator",
                             "create table thing (id serial primary key, note text);"
                             "insert into thing (note) values ('first')")

    def assert_only_the_diagonal_connects(self, said):
        for service in SERVICES:
            for role in ("owner", *roles.LOG_INS):
                for database in DATABASES:
                    with self.subTest(role=f"{service}_{role}", database=database):
                        outcome = self.running.tried(service, role, "select current_database()",
                                                     database)
                        if database == service and role != "owner":
                            self.assertEqual(outcome.stdout.strip(), database, outcome.stderr)
                        else:
                            self.assertNotEqual(outcome.returncode, 0)
                            self.assertRegex(outcome.stderr, said)

    def assert_denied(self, service, role, scripts):
        for script in scripts:
            with self.subTest(role=f"{service}_{role}", script=script):
                outcome = self.running.tried(service, role, script.format(service=service))
                self.assertNotEqual(outcome.returncode, 0, "it was let")
                self.assertRegex(outcome.stderr, "permission denied|must be owner|"
                                                 "no schema has been selected to create in")

    def test_of_all_roles_and_databases_only_the_diagonal_connects(self):
        self.assert_only_the_diagonal_connects("pg_hba.conf rejects connection")

    def test_the_databases_themselves_shut_out_who_passes_pg_hba(self):
        """Two walls: the one stands when somebody edits the other."""
        hba = self.running.cluster.folder / "pg_hba.conf"
        before = hba.read_text()
        open_to_all = "host all all 127.0.0.1/32 scram-sha-256\n"
        try:
            hba.write_text(before.split("host ")[0] + open_to_all)
            self.running.as_superuser("select pg_reload_conf()")
            until(lambda: "pg_hba" not in self.running.tried(
                "order", "reader", "select 1", "user").stderr, "the open pg_hba.conf is read")
            self.assert_only_the_diagonal_connects(
                "permission denied for database|not currently accepting connections|"
                "password authentication failed|no password supplied")
        finally:
            hba.write_text(before)
            self.running.as_superuser("select pg_reload_conf()")
            until(lambda: "pg_hba" in self.running.tried(
                "order", "reader", "select 1", "user").stderr, "the first pg_hba.conf is read")

    def test_the_application_reads_and_writes_rows_of_what_the_migrator_made_later(self):
        for service in SERVICES:
            self.running.done(service, "migrator", "create table later (id bigserial, note text)")
            self.assertEqual(self.running.done(
                service, "application",
                "insert into later (note) values ('a'), ('b'); update later set note = 'c'"
                " where id = 1; delete from later where id = 2; select note from later"), "c")
            self.assertEqual(self.running.done(service, "reader", "select note from later"), "c")
            self.running.done(service, "migrator", "drop table later")

    def test_the_application_changes_no_schema(self):
        for service in SERVICES:
            before = self.running.schema(service)
            self.running.tried(service, "application", GRANT)
            self.assert_denied(service, "application", CHANGES_OF_A_SCHEMA)
            self.assertEqual(self.running.schema(service), before)

    def test_the_reader_changes_neither_rows_nor_schema(self):
        for service in SERVICES:
            before = self.running.schema(service)
            self.running.tried(service, "reader", GRANT)
            self.assert_denied(service, "reader", (*WRITES, *CHANGES_OF_A_SCHEMA))
            self.assertEqual(self.running.schema(service), before)

    def test_what_the_migrator_makes_is_the_owner_s(self):
        self.running.done("order", "migrator", "create table of_whom (id int)")
        self.assertEqual(self.running.as_superuser(
            "\\connect order\nselect tableowner from pg_tables where tablename = 'of_whom'"
        ).strip(), "order_owner")
        self.running.done("order", "migrator", "drop table of_whom")
        self.assert_denied("order", "migrator", ["set role none; create table mine (id int)",
                                                 "create role mine", "create database mine",
                                                 "set role product_owner"])

    def test_passwords_are_for_their_user_alone_and_not_in_the_server(self):
        files = list(self.running.cluster.credentials.iterdir())
        self.assertEqual(len(files), len(SERVICES) * len(roles.LOG_INS))
        for file in files:
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)
        self.assertEqual(stat.S_IMODE(self.running.cluster.credentials.stat().st_mode), 0o700)
        self.assertEqual(self.running.as_superuser(
            "select count(*) from pg_authid where rolpassword not like 'SCRAM-SHA-256$4096:%'"
        ).strip(), "0")
        self.assertEqual(len({self.running.password(service, role) for service in SERVICES
                              for role in roles.LOG_INS}), len(files))

    def test_a_wrong_password_does_not_connect(self):
        outcome = subprocess.run(
            [deployed.PROGRAMS / "psql", "-Xw", "-c", "select 1",
             f"postgresql://order_application:wrong@127.0.0.1:{self.running.cluster.port}/order"],
            capture_output=True, text=True, check=False)
        self.assertIn("password authentication failed", outcome.stderr)

    def test_a_role_connects_by_the_url_that_names_its_password_file(self):
        url = roles.conninfo("127.0.0.1", self.running.cluster.port, "user", "application",
                             self.running.cluster.credentials)
        outcome = subprocess.run([deployed.PROGRAMS / "psql", "-XAtw", "-c", "select 7", url],
                                 capture_output=True, text=True, check=False)
        self.assertEqual(outcome.stdout, "7\n", outcome.stderr)


class SetUp(unittest.TestCase):
    def setUp(self):
        self.running = PrivateCluster()
        self.addCleanup(self.running.close)
        self.cluster = self.running.cluster

    def everything(self):
        """The server's roles, rights, schemas and rows, and the password files."""
        return [self.running.everything(), *(
            (file.name, file.stat().st_mtime_ns, file.read_text())
            for file in sorted(self.cluster.credentials.iterdir()))]

    def test_a_second_time_it_changes_nothing_and_loses_nothing(self):
        self.running.done("order", "migrator", "create table thing (note text);"
                                               "insert into thing values ('kept')")
        before = self.everything()
        self.assertIn("kept", before[0])
        self.assertIn("SCRAM-SHA-256$4096:", before[0])
        roles.set_up(self.cluster.server(), SERVICES, self.cluster.credentials)
        self.assertEqual(self.everything(), before)
        self.running.stop()
        self.running.start()
        self.assertEqual(self.everything(), before)

    def test_after_a_kill_of_the_postmaster_it_starts_again_with_everything(self):
        before = self.everything()
        self.running.kill()
        self.assertEqual(self.everything(), before)

    def test_a_lost_password_file_is_made_again_and_a_service_is_added(self):
        old = self.running.password("order", "reader")
        roles.pgpass(self.cluster.credentials, "order", "reader").unlink()
        roles.set_up(self.cluster.server(), (*SERVICES, "payment"), self.cluster.credentials)
        self.assertNotEqual(self.running.password("order", "reader"), old)
        self.assertEqual(self.running.done("order", "reader", "select 1"), "1")

    def test_another_s_database_that_is_open_to_everybody_is_not_shut_unasked(self):
        self.running.as_superuser("create database theirs")
        with self.assertRaisesRegex(roles.RolesError, "theirs"):
            roles.set_up(self.cluster.server(), SERVICES, self.cluster.credentials)
        self.running.as_superuser("revoke connect on database theirs from public")
        roles.set_up(self.cluster.server(), SERVICES, self.cluster.credentials)

    def test_the_script_sets_up_a_server_that_is_there(self):
        """As an administrator runs it, here with a password."""
        self.running.as_superuser("create role administrator login superuser password 'secret'")
        hba = self.cluster.folder / "pg_hba.conf"
        hba.write_text("host postgres,payment administrator 127.0.0.1/32 scram-sha-256\n"
                       + hba.read_text())
        self.running.as_superuser("select pg_reload_conf()")
        credentials = Path(self.running.scratch.name) / "credentials"
        url = f"postgresql://administrator@127.0.0.1:{self.cluster.port}/postgres"
        command = [REPOSITORY / "deploy/postgres/set_up", "--server", url, "--credentials",
                   credentials, "--from", "10.1.0.0/16", "payment"]
        made = until(lambda: (lambda outcome: outcome if outcome.returncode == 0 else None)(
            subprocess.run(command, capture_output=True, text=True, check=False,
                           env={**os.environ, "PGPASSWORD": "secret"})), "set_up succeeds")
        self.assertIn(str(hba), made.stdout)
        self.assertIn('hostssl "payment" "payment_application" 10.1.0.0/16 scram-sha-256',
                      (credentials / "pg_hba.conf").read_text())
        self.assertEqual(self.running.as_superuser(
            "select datname from pg_database where datname = 'payment'").strip(), "payment")

    def restore(self, dump):
        return subprocess.run([REPOSITORY / "deploy/postgres/restore", "--cluster",
                               self.cluster.folder, "order", dump],
                              capture_output=True, text=True, check=False)

    def test_a_dump_is_restored_with_all_roles_and_the_former_database_is_kept(self):
        note = "insert into thing values ('{}')"
        self.running.done("order", "migrator", "create table thing (note text);" +
                          note.format("dumped"))
        dump = Path(self.running.scratch.name) / "order.dump"
        subprocess.run([deployed.PROGRAMS / "pg_dump", "--format=custom", f"--file={dump}",
                        self.running.url("order", "migrator")], check=True)
        self.running.done("order", "application", note.format("after"))
        until(lambda: self.restore(dump).returncode == 0, "nobody is connected any more")
        self.assertEqual(self.running.done("order", "reader", "select note from thing"), "dumped")
        self.running.done("order", "application", note.format("later"))
        self.running.done("order", "migrator", "alter table thing add column more text")
        kept = self.running.as_superuser(
            "select datname from pg_database where datname like 'order_before_%'").split()
        self.assertEqual(len(kept), 1)
        self.assertEqual(self.running.as_superuser(
            f"\\connect {kept[0]}\nselect note from thing order by 1").split(),
            ["after", "dumped"])
        self.assertNotEqual(self.running.tried("order", "application", "", kept[0]).returncode, 0)

    def test_a_restore_that_fails_changes_nothing(self):
        self.running.done("order", "migrator", "create table thing (note text);"
                                               "insert into thing values ('kept')")
        dump = Path(self.running.scratch.name) / "order.dump"
        subprocess.run([deployed.PROGRAMS / "pg_dump", "--format=custom", f"--file={dump}",
                        self.running.url("order", "migrator")], check=True)
        before = self.everything()
        with subprocess.Popen([deployed.PROGRAMS / "psql", "-Xq",
                               self.running.url("order", "reader")], stdin=subprocess.PIPE):
            until(lambda: "order" in self.connected(), "somebody is connected")
            self.assertIn("stop the service first", self.restore(dump).stderr)
        until(lambda: "order" not in self.connected(), "nobody is connected")
        whole = dump.read_bytes()
        dump.write_bytes(whole[:-30])  # its table of contents can be read, its last rows cannot
        refused = self.restore(dump)
        self.assertEqual((refused.returncode, len(refused.stderr.splitlines())), (1, 1), refused)
        self.assertEqual(self.everything(), before)
        dump.write_text("no dump")
        self.assertIn("valid archive", self.restore(dump).stderr)
        self.assertEqual(self.everything(), before)

    def connected(self):
        return self.running.as_superuser("select datname from pg_stat_activity").split()

    def test_root_is_not_needed(self):
        if os.geteuid() != 0:
            return  # all tests here are this test
        self.running.stop()
        shutil.rmtree(self.cluster.folder)
        self.cluster.folder.mkdir(mode=0o700)
        os.chown(self.cluster.folder, NOBODY, NOBODY)
        self.running.start([f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"])
        self.assertEqual(self.running.done("order", "application", "select 1"), "1")
        self.assertEqual(self.cluster.data.stat().st_uid, NOBODY)


if __name__ == "__main__":
    unittest.main()
