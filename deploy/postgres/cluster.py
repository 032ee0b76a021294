# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of our own, in one folder; no service of the system is touched.

  FOLDER/data/             the cluster, initdb's
  FOLDER/socket/           where its superuser comes in, and nobody else does
  FOLDER/credentials/      the services' passwords, see roles.py
  FOLDER/postgresql.conf, pg_hba.conf, pg_ident.conf   made anew at each start

PostgreSQL refuses to run as root. Then it runs as the user `postgres`, who gets data/ and socket/.
"""

import os
import pwd
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import roles

PROGRAMS = Path("/usr/lib/postgresql/15/bin")
SETPRIV = "/usr/bin/setpriv"
SUPERUSER = "postgres"
READY_WITHIN_S = 60  # a crashed cluster first replays its log
_SOCKET_PATH_MAX = 107


class ClusterError(Exception):
    """The cluster cannot be made or started; one line says why."""


@dataclass(frozen=True)
class Cluster:
    """`folder` is made if it is missing; `port` is its port on loopback."""
    folder: Path
    port: int

    @property
    def data(self):
        return self.folder / "data"

    @property
    def socket(self):
        return self.folder / "socket"

    @property
    def credentials(self):
        return self.folder / "credentials"

    def server(self):
        """As its superuser, through its socket."""
        return roles.Server(f"host='{self.socket}' port={self.port} user={SUPERUSER} "
                            "dbname=postgres", tuple(_as_server()), str(PROGRAMS / "psql"))

    def postmaster(self, *options):
        """The command that becomes the server, until SIGINT or the end of its parent process."""
        return [*_as_server("--pdeathsig", "INT"), str(PROGRAMS / "postgres"), "-D", str(self.data),
                f"--config-file={self.folder / 'postgresql.conf'}", *options]

    def prepare(self, services):
        """Makes what is missing: the cluster, the services' databases and roles. Until that is done
        nobody can connect over TCP, so whoever can finds everything in its place."""
        self._check()
        self._make_folders()
        if not self.data.exists():
            self._initialise()
        self._configure(services)
        with subprocess.Popen(self.postmaster("-c", "listen_addresses="), cwd="/") as postmaster:
            try:
                self._wait_until_ready(postmaster)
                roles.set_up(self.server(), services, self.credentials)
            finally:
                postmaster.send_signal(signal.SIGINT)

    def _check(self):
        if not os.access(PROGRAMS / "postgres", os.X_OK):
            raise ClusterError("the Debian package postgresql-15 is missing: "
                               "apt-get install postgresql-15")
        if len(str(self.socket / f".s.PGSQL.{self.port}")) > _SOCKET_PATH_MAX:
            raise ClusterError(f"{self.folder}: the name is too long for a socket in it")

    def _make_folders(self):
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.mkdir(mode=0o700, exist_ok=True)
        self.credentials.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            self.folder.chmod(0o711)  # the way to data/ and socket/
            self._give_away(self.socket)
            if subprocess.run([*_as_server(), "/usr/bin/test", "-x", self.folder],
                              check=False).returncode != 0:
                raise ClusterError(f"the user {_server_user()} cannot reach {self.folder}: let "
                                   "others through the directories above it (chmod o+x)")

    def _initialise(self):
        """A cluster that is whole, or none: it gets its name when initdb is done with it."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self._give_away(unfinished)
        outcome = subprocess.run(
            [*_as_server(), str(PROGRAMS / "initdb"), "-D", str(unfinished), "--encoding=UTF8",
             "--locale=C.UTF-8", f"--username={SUPERUSER}", "--auth=reject", "--data-checksums"],
            capture_output=True, text=True, check=False, cwd="/")
        if outcome.returncode != 0:
            raise ClusterError("initdb: " + outcome.stderr.strip().replace("\n", "; "))
        unfinished.rename(self.data)

    def _configure(self, services):
        superuser = f"local all {SUPERUSER} peer map=superuser"
        self._write("postgresql.conf", _SETTINGS.format(folder=self.folder, port=self.port))
        self._write("pg_hba.conf", roles.pg_hba(services, first=superuser))
        self._write("pg_ident.conf", f"superuser {_server_user()} {SUPERUSER}\n")

    def _write(self, name, text):
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o644)  # the server reads it; there is no secret in it

    def _wait_until_ready(self, postmaster):
        deadline = time.monotonic() + READY_WITHIN_S
        while subprocess.run([*_as_server(), str(PROGRAMS / "pg_isready"), "--quiet",
                              f"--host={self.socket}", f"--port={self.port}"],
                             check=False).returncode != 0:
            if postmaster.poll() is not None:
                raise ClusterError(f"the server ended with {postmaster.returncode} at its start")
            if time.monotonic() > deadline:
                raise ClusterError(f"the server was not ready within {READY_WITHIN_S} s")
            time.sleep(0.02)

    @staticmethod
    def _give_away(path):
        if os.geteuid() == 0:
            user = pwd.getpwnam(_server_user())
            os.chown(path, user.pw_uid, user.pw_gid)


def _server_user():
    return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def _as_server(*options):
    """What stands before a command that is to run as the server's user."""
    if os.geteuid() != 0:
        return [SETPRIV, *options] if options else []
    user = _server_user()
    return [SETPRIV, f"--reuid={user}", f"--regid={user}", "--init-groups", *options]


# What is acknowledged is on disk. What a client that was stopped may hold back is bounded by the
# toolkit's sessions themselves. A few rows (heads, cursors) are written by every commit: vacuum
# looks after them often. What was erased leaves the log as well: a segment that a service has
# closed is deleted, not used again, with the next checkpoint. The server's own record names no
# row's values.
_SETTINGS = """\
# Made by deploy/postgres at each start.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}/socket'
unix_socket_permissions = 0700
hba_file = '{folder}/pg_hba.conf'
ident_file = '{folder}/pg_ident.conf'
password_encryption = scram-sha-256
max_connections = 100

fsync = on
full_page_writes = on
synchronous_commit = on

shared_buffers = 256MB
max_wal_size = 4GB
checkpoint_timeout = 15min
wal_recycle = off
log_error_verbosity = terse
autovacuum_naptime = 30s
jit = off

timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_line_prefix = '%m [%p] %q%u@%d '
"""
