# SPDX-License-Identifier: Apache-2.0
"""The three services as processes of ours, without a gateway and without a supervisor: a test that
kills, stops or restores one decides itself when it runs again."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from system_tests.local.free_ports import first_of_free_ports
from system_tests.checker.rows import rows_of_file, rows_of_server
from system_tests.running.api import Api, Unanswered, expect, new_email
from system_tests.running.private_cluster import PrivateCluster, deployed
from system_tests.running.waiting import until
from system_tests.running.whole_shop import BUILD, REPOSITORY, is_ready

sys.path.insert(0, str(REPOSITORY / "deploy/local"))
import topology  # noqa: E402

NAMES = ("user", "product", "order")  # their services
STOPPED_WITHIN_S = 30


class Services:
    """All three run when the constructor returns, in the profile `scale` with a server of their
    own; with `several`, each instance of them that the topology has. close() ends them and removes
    their data. A name is that of a service, which is its first instance, or of another one."""

    def __init__(self, environment=None, profile="local", several=False):
        self._scratch = tempfile.TemporaryDirectory(prefix="freehold-system-")
        os.chmod(self._scratch.name, 0o711)  # as root, PostgreSQL runs as another user
        self._place = topology.Place(Path(self._scratch.name), BUILD, first_of_free_ports(),
                                     profile)
        self._layout = topology.read()
        self.cluster = None  # of the profile `scale`
        self._environment = {**os.environ, **(environment or {})}
        self.profile = profile
        self._several = several
        self._processes = {}
        self._backups = 0
        self._place.logs.mkdir()
        topology.generate(self._layout, self._place)
        try:
            if profile == "scale":
                self.cluster = PrivateCluster(self._place.postgres,
                                              self._layout.port(self._place, "postgres"))
            first = [each.name for each in self._instances() if each.number == 1]
            more = [each.name for each in self._instances() if each.number > 1] if several else []
            for together in (first, more):  # the first makes the schema and the service's key
                for name in together:
                    self.start(name)
                for name in together:
                    self.until_ready(name)
        except BaseException:
            self.close()
            raise

    def close(self):
        for name in list(self._processes):
            self.kill(name)
        if self.cluster:
            self.cluster.close()
        self._scratch.cleanup()

    def _instances(self, service=None):
        return self._layout.instances(self._place, service)

    # ---- processes

    def start(self, name, environment=None):
        """For the main thread: a process ends with the thread that started it."""
        with open(self.log(name), "ab") as log:
            self._processes[name] = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "KILL", *self._program(name)],
                stdout=log, stderr=log, env={**self._environment, **(environment or {})})

    def until_ready(self, name):
        def ready():
            code = self._processes[name].poll()
            if code is not None:
                raise AssertionError(f"{name} ended with {code}:\n{self.log(name).read_text()}")
            return is_ready(self.port_of(name))
        until(ready, f"{name} is ready")

    def kill(self, name):
        self._end(name, signal.SIGKILL)

    def stop(self, name):
        self._end(name, signal.SIGTERM)

    def pause(self, name):
        """Stops the process as it is; resume() lets it go on."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name):
        self._processes[name].send_signal(signal.SIGCONT)

    def _end(self, name, number):
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(STOPPED_WITHIN_S)

    def is_running(self, name):
        return name in self._processes and self._processes[name].poll() is None

    def pid(self, name):
        return self._processes[name].pid

    # ---- what a person has: ports, records, commands, backups

    def port_of(self, name):
        return self._layout.port(self._place, name)

    def ports(self, service):
        """Of its instances, whether they run now or not."""
        return [self.port_of(each.name) for each in self._instances(service)
                if each.number == 1 or self._several]

    def data(self, name):
        return self._place.data / self._service(name)

    def log(self, name):
        return self._place.logs / f"{name}.log"

    def _service(self, name):
        return next(each.service.name for each in self._instances() if each.name == name)

    def _program(self, name, *words):
        return [self._place.program(self._service(name)), "--config",
                self._place.configuration(name), *words]

    def command(self, name, *words):
        """An operator command's output; AssertionError if it does not succeed."""
        done = subprocess.run(self._program(name, *words), capture_output=True, text=True,
                              check=False, timeout=60, env=self._environment)
        if done.returncode != 0:
            raise AssertionError(f"{name} {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def backup(self, name):
        """A new backup's path. It is in the service's directory, who may write nowhere else."""
        self._backups += 1
        file = self.data(name) / f"backup-{self._backups}"
        if self.cluster:
            subprocess.run([deployed.PROGRAMS / "pg_dump", "--format=custom", f"--file={file}",
                            self.cluster.url(name, "migrator")], check=True)
        else:
            self.command(name, "backup", str(file))
        return file

    def restore(self, name, backup):
        """Puts a backup in the place of the database of a service that does not run."""
        if self.cluster:
            until(lambda: subprocess.run(
                [REPOSITORY / "deploy/postgres/restore", "--cluster", self._place.postgres, name,
                 backup], check=False, stdout=subprocess.DEVNULL).returncode == 0,
                f"{name} is restored, when the server has noticed that nobody is connected")
            return
        database = self.data(name) / "database.sqlite"
        for file in database.parent.glob("database.sqlite*"):
            file.unlink()
        shutil.copy(backup, database)
        database.chmod(0o600)

    def rows(self, name, queries):
        """The answers to queries on a service's database, from one snapshot."""
        if self.cluster:
            return rows_of_server(self.cluster.cluster.server(), name, queries)
        file = self.backup(name)
        try:
            return rows_of_file(file, queries)
        finally:
            file.unlink()

    def metric(self, name, sample):
        """The value of one sample, as `freehold_sagas{status="running"}`."""
        for line in Api(self.port_of(name)).get("/metrics").text.splitlines():
            if line.startswith(sample + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"{name} has no metric {sample}")

    # ---- people

    def customer(self):
        """The access token of a new customer."""
        return self._log_in(self._registered())

    def admin(self):
        """The access token of a new administrator."""
        email = self._registered()
        self.command("user", "make-admin", email)
        return self._log_in(email)

    def _registered(self):
        email = new_email()
        expect(201, Api(self.port_of("user")).register(email))
        return email

    def _log_in(self, email):
        return expect(201, Api(self.port_of("user")).log_in(email))["access_token"]


def answered(ask, what):
    """The answer of ask(), which is repeated while there is none, or one that says: try again."""
    def once():
        try:
            answer = ask()
        except Unanswered:
            return None
        return None if answer.status in (429, 503, 504) else answer
    return until(once, f"an answer to {what}", every_s=0.05)
