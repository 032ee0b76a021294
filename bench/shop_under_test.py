# SPDX-License-Identifier: Apache-2.0
"""A shop of our own: started in a directory of its own, asked through its public APIs, looked at
from outside (processor time, memory, files), and removed."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "deploy/postgres"))
import roles  # noqa: E402
from cluster import Cluster  # noqa: E402

SERVICES = ("order", "product", "user")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PASSWORD = "correct horse battery"


class BenchFailed(Exception):
    """One line that says why there is no result."""


class ShopUnderTest:
    """It is open when the constructor returns. `scratch` goes away with it, and whatever is put
    there. In the profile `scale` it has a PostgreSQL of its own, as safe as any: fsync is on, and a
    commit is on disk before it is answered."""

    def __init__(self, build, port, profile="local"):
        # Not /tmp, which may be memory: what is measured here is a disk.
        self._scratch = tempfile.TemporaryDirectory(prefix="freehold-bench-",
                                                    dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.scratch = Path(self._scratch.name)
        self.data = self.scratch / "shop"
        self._port = port
        self.profile = profile
        if profile == "scale" and os.geteuid() == 0:
            self.scratch.chmod(0o711)  # the server's user passes through
        self._process = subprocess.Popen(
            [ROOT / "deploy/local/shop", "--profile", profile, "--data", self.data, "--port",
             str(port), "--build", build], stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        if not any(line.startswith("The shop is open") for line in self._process.stdout):
            self.close()
            raise BenchFailed("the shop did not open")
        self.addresses = self._find_addresses()
        self._cluster = self._find_cluster()
        self._pids = self._find_processes()

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(90)
        self._process.stdout.close()
        self._scratch.cleanup()

    def _find_addresses(self):
        """{service: where its instances listen}, from the configurations that they were given."""
        found = {"gateway": [f"127.0.0.1:{self._port}"]}
        for path in sorted((self.data / "run").glob("*.toml")):
            configuration = tomllib.loads(path.read_text())
            service = Path(configuration["data"]).name
            found.setdefault(service, []).append(f"127.0.0.1:{configuration['port']}")
        return found

    def _find_cluster(self):
        if self.profile != "scale":
            return None
        pid_file = self.data / "postgres/data/postmaster.pid"
        return Cluster(self.data / "postgres", int(pid_file.read_text().splitlines()[3]))

    def address(self, name):
        """Of all its instances, separated by commas."""
        return ",".join(self.addresses[name])

    # ---- its PostgreSQL

    def reader_url(self, service):
        return roles.conninfo("127.0.0.1", self._cluster.port, service, "reader",
                              self._cluster.credentials)

    def make_database(self, name):
        """A database of the shop's cluster that the shop knows nothing of: what stands before the
        command of who uses it, and its URL. Nobody but the superuser may come in, by the socket."""
        self._cluster.server().run(
            f"create database {name} template template0 encoding 'UTF8' lc_collate 'C' "
            "lc_ctype 'C.UTF-8'")
        host = self._cluster.socket
        return self._cluster.server().run_as, (
            f"host={host} port={self._cluster.port} user=postgres dbname={name}")

    # ---- people

    def admin(self):
        """A fresh access token: they live for ten minutes."""
        account = json.loads((self.data / "demo.json").read_text())["admin"]
        return self._log_in(account)

    def register(self):
        """A new customer's account."""
        account = {"email": f"bench-{uuid.uuid4()}@example.org", "password": PASSWORD}
        self._post("/api/users", {**account, "name": "Ben Chmark"})
        return account

    def tokens(self, accounts):
        return [self._log_in(account) for account in accounts]

    def _log_in(self, account):
        return self._post("/api/sessions", account)["access_token"]

    def _post(self, path, body):
        request = urllib.request.Request(f"http://{self.addresses['user'][0]}{path}", method="POST",
                                         data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    # ---- what it costs

    def _find_processes(self):
        """The processes of each service, and of the gateway, by what they were started with."""
        marks = {str(path): Path(tomllib.loads(path.read_text())["data"]).name
                 for path in (self.data / "run").glob("*.toml")}
        marks[f"{self.data}/run/nginx/nginx.conf"] = "gateway"
        found = {name: [] for name in (*SERVICES, "gateway")}
        parents = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                parents[int(entry.name)] = int(_stat(entry)[1])
            except (OSError, IndexError):
                continue
            for mark, name in marks.items():
                if mark in command.split("\0"):
                    found[name].append(int(entry.name))
        masters = set(found["gateway"])
        found["gateway"] += [pid for pid, parent in parents.items() if parent in masters]
        return found

    def processor_s(self):
        """The processor time of each so far; of PostgreSQL by database, `postgres` being what
        serves all of them."""
        spent = {name: sum(_processor_s(pid) for pid in pids) for name, pids in self._pids.items()}
        if self._cluster:
            spent.update(self._postgres_s())
        return spent

    def _postgres_s(self):
        postmaster = int((self._cluster.data / "postmaster.pid").read_text().splitlines()[0])
        # What has ended counts with the postmaster.
        spent = {"postgres": _processor_s(postmaster, with_children=True),
                 **{f"postgres_{name}": 0.0 for name in SERVICES}}
        for child in _children(postmaster):
            # "postgres: order_application order 127.0.0.1(44060) idle"
            words = _command(child).split()
            name = f"postgres_{words[2]}" if len(words) > 3 else "postgres"
            spent[name if name in spent else "postgres"] += _processor_s(child)
        return spent

    def memory_mb(self):
        """The resident memory of each service, all its instances; of PostgreSQL what its processes
        do not share, and what they share once."""
        memory = {name: sum(_resident_mb(pid) for pid in self._pids[name]) for name in SERVICES}
        if self._cluster:
            postmaster = int((self._cluster.data / "postmaster.pid").read_text().splitlines()[0])
            memory["postgres"] = sum(_share_mb(pid) for pid in [postmaster, *_children(postmaster)])
        return memory

    def disk_bytes(self):
        if self._cluster:
            sizes = self._cluster.server().run(
                "checkpoint; select datname, pg_database_size(datname) from pg_database")
            by_name = dict(line.split("\t") for line in sizes.splitlines())
            return {name: int(by_name[name]) for name in SERVICES}
        return {name: sum(file.stat().st_size
                          for file in (self.data / name).glob("database.sqlite*"))
                for name in SERVICES}

    def database(self, name):
        return self.data / name / "database.sqlite"


def until(condition, what, within_s=60, every_s=0.05):
    """Waits for the condition; BenchFailed that names `what` after the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise BenchFailed(f"not within {within_s} s: {what}")
        time.sleep(every_s)


def _stat(process):
    return (process / "stat").read_text().rsplit(")", 1)[1].split()


def _processor_s(pid, with_children=False):
    """Also of the children that have ended."""
    try:
        fields = _stat(Path(f"/proc/{pid}"))
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11:15 if with_children else 13]) / TICKS_PER_S


def _children(pid):
    return [int(child) for child in
            Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def _share_mb(pid):
    """The proportional set size: what is shared is divided among those who share it."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def _resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
