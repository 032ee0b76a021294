# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""

import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

SYNCS = 200


def describe(directory, root):
    """`directory`: where the databases lie; `root`: the repository."""
    filesystem, device = _mount_of(directory)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": _field("/proc/cpuinfo", "model name"),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "disk": f"{device} {filesystem}",
        "sync_ms": round(_sync_ms(directory), 3),
        "load_before": round(os.getloadavg()[0], 2),
        "commit": _commit(root),
    }


def _field(path, name):
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _mount_of(directory):
    best = ("", "unknown", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        device, point, filesystem = line.split()[:3]
        inside = str(directory).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best[0]):
            best = (point, filesystem, device)
    return best[1:]


def _sync_ms(directory):
    """The median time in which 4 KiB, appended to a file, are on disk."""
    path = Path(directory) / "sync"
    took = []
    with open(path, "wb", buffering=0) as file:
        for _ in range(SYNCS):
            begin = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - begin)
    path.unlink()
    return statistics.median(took) * 1000


def _commit(root):
    def git(*words):
        done = subprocess.run(["git", "-C", root, *words], capture_output=True, text=True,
                              check=False)
        return done.stdout.strip() if done.returncode == 0 else ""
    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return commit + (" and changes" if git("status", "--porcelain") else "")
