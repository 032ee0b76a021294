# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of a test's own, as deploy/postgres makes it, and its roles at work."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from system_tests.local.free_ports import first_of_free_ports
from system_tests.running.waiting import until
from system_tests.running.whole_shop import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "deploy/postgres"))
import cluster as deployed  # noqa: E402
import roles  # noqa: E402

READY_WITHIN_S = 120  # it is made first, a thousand files
STOPPED_WITHIN_S = 60


class PrivateCluster:
    """Runs when the constructor returns. close() ends it and removes its folder, unless that, and
    the port, were chosen by its owner."""

    def __init__(self, folder=None, port=None):
        self.scratch = tempfile.TemporaryDirectory(prefix="freehold-system-")
        os.chmod(self.scratch.name, 0o711)  # as root, the server runs as another user
        folder = folder or Path(self.scratch.name) / "a cluster"
        self.cluster = deployed.Cluster(folder, port or first_of_free_ports(1))
        self.process = None
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self, run_as=()):
        with open(f"{self.scratch.name}/log", "ab") as log:
            self.process = subprocess.Popen(
                ["/usr/bin/setpriv", "--pdeathsig", "INT", *run_as,
                 REPOSITORY / "deploy/postgres/cluster", "--port", str(self.cluster.port),
                 self.cluster.folder], stdout=log, stderr=log)

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(Path(f"{self.scratch.name}/log").read_text())
            return subprocess.run([deployed.PROGRAMS / "pg_isready", "-q", "-h", "127.0.0.1", "-p",
                                   str(self.cluster.port)], check=False).returncode == 0
        until(ready, "the cluster is ready", READY_WITHIN_S)

    def stop(self, number=signal.SIGINT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(STOPPED_WITHIN_S)

    def kill(self):
        """The server's first process with SIGKILL; it runs again when this returns."""
        self.stop(signal.SIGKILL)
        until(self._starts, "the processes of the killed server have let go of its files",
              every_s=0.1)

    def _starts(self):
        try:
            self.start()
        except AssertionError:
            return False
        return True

    def close(self):
        self.stop()
        self.scratch.cleanup()

    def url(self, service, role):
        return roles.conninfo("127.0.0.1", self.cluster.port, service, role,
                              self.cluster.credentials)

    def password(self, service, role):
        line = roles.pgpass(self.cluster.credentials, service, role).read_text()
        return line.strip().rpartition(":")[2]

    def tried(self, service, role, script, database=None):
        """psql's outcome of a script, as this role."""
        return subprocess.run(
            [deployed.PROGRAMS / "psql", "-XqAtw", "-v", "ON_ERROR_STOP=1", "-c", script],
            capture_output=True, text=True, check=False, timeout=30,
            env={"PGHOST": "127.0.0.1", "PGPORT": str(self.cluster.port),
                 "PGUSER": f"{service}_{role}", "PGDATABASE": database or service,
                 "PGPASSWORD": "" if role == "owner" else self.password(service, role)})

    def done(self, service, role, script):
        outcome = self.tried(service, role, script)
        if outcome.returncode != 0:
            raise AssertionError(f"{service}_{role}: {script}: {outcome.stderr}")
        return outcome.stdout.strip()

    def as_superuser(self, script):
        return self.cluster.server().run(script)

    def schema(self, service):
        return self._dumped("pg_dump", "--schema-only", service)

    def everything(self):
        return self._dumped("pg_dumpall")

    def _dumped(self, program, *words):
        """What a dump says, without what differs from one dump to the next."""
        dump = subprocess.run(
            [*self.cluster.server().run_as, deployed.PROGRAMS / program, "-h", self.cluster.socket,
             "-p", str(self.cluster.port), "-U", "postgres", "-w", *words],
            capture_output=True, text=True, check=True, cwd="/").stdout
        return "\n".join(line for line in dump.splitlines() if not line.startswith("\\"))
