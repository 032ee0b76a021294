# SPDX-License-Identifier: Apache-2.0
"""A shop of our own: started in a directory of its own, asked through its public APIs, looked at
from outside (processor time, memory, files), and removed."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.request
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PORT_OFFSETS = {"gateway": 0, "product": 1, "order": 2, "user": 3}
SERVICES = ("order", "product", "user")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PASSWORD = "correct horse battery"


class BenchFailed(Exception):
    """One line that says why there is no result."""


class ShopUnderTest:
    """It is open when the constructor returns. `scratch` goes away with it, and whatever is put
    there."""

    def __init__(self, build, port):
        # Not /tmp, which may be memory: what is measured here is a disk.
        self._scratch = tempfile.TemporaryDirectory(prefix="freehold-bench-",
                                                    dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.scratch = Path(self._scratch.name)
        self.data = self.scratch / "shop"
        self._port = port
        self._process = subprocess.Popen(
            [ROOT / "deploy/local/shop", "--data", self.data, "--port", str(port), "--build",
             build], stdout=subprocess.PIPE, text=True, start_new_session=True)
        if not any(line.startswith("The shop is open") for line in self._process.stdout):
            self.close()
            raise BenchFailed("the shop did not open")
        self._pids = self._find_processes()

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        self._process.wait(90)
        self._process.stdout.close()
        self._scratch.cleanup()

    def address(self, name):
        return f"127.0.0.1:{self._port + PORT_OFFSETS[name]}"

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
        request = urllib.request.Request(f"http://{self.address('user')}{path}", method="POST",
                                         data=json.dumps(body).encode(),
                                         headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    # ---- what it costs

    def _find_processes(self):
        """The processes of each service, and of the gateway, by what they were started with."""
        marks = {name: f"{self.data}/run/{name}.toml" for name in SERVICES}
        marks["gateway"] = f"{self.data}/run/nginx/nginx.conf"
        found = {name: [] for name in marks}
        parents = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                command = (entry / "cmdline").read_bytes().decode(errors="replace")
                parents[int(entry.name)] = int(_stat(entry)[1])
            except (OSError, IndexError):
                continue
            for name, mark in marks.items():
                if mark in command:
                    found[name].append(int(entry.name))
        masters = set(found["gateway"])
        found["gateway"] += [pid for pid, parent in parents.items() if parent in masters]
        return found

    def processor_s(self):
        """The processor time of each so far."""
        return {name: sum(_processor_s(pid) for pid in pids) for name, pids in self._pids.items()}

    def memory_mb(self):
        """The resident memory of each service."""
        return {name: sum(_resident_mb(pid) for pid in self._pids[name]) for name in SERVICES}

    def disk_bytes(self):
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


def _processor_s(pid):
    try:
        fields = _stat(Path(f"/proc/{pid}"))
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _resident_mb(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
