# SPDX-License-Identifier: Apache-2.0
"""Ports for a shop of our own, beside others that are tested at the same time."""

import random
import socket

OF_A_SHOP = 7  # gateway, services, PostgreSQL, second instances
_claims = []  # open as long as this process lives


def first_of_free_ports(count=OF_A_SHOP):
    """The first of `count` neighbouring ports on loopback where nobody listens, below those that
    the kernel gives to connections; no other process that asks is given them."""
    for _ in range(200):
        first = random.randrange(20000, 32000, 8)
        if _claim(first) and all(_is_free(port) for port in range(first, first + count)):
            return first
    raise RuntimeError("no free ports between 20000 and 32000")


def _claim(first):
    """Whether these ports are ours: seconds pass before the last of a shop's programs listens."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0freehold-ports-{first}")  # no file: it goes with the process
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
