# SPDX-License-Identifier: Apache-2.0
"""Customers shop while each service in turn is killed and started again; then all is checked.

A victim is an instance; or `postgres`, the server's first process; or `paused <instance>`, who is
stopped for longer than its leases last, and then goes on as if nothing had happened."""

import itertools
import random
import time
from dataclasses import dataclass, field

from system_tests.checker.rest import check_at_rest
from system_tests.crashes.customers import Customers
from system_tests.running.services import NAMES, Services
from system_tests.running.waiting import LONG

PAUSES_S = (0.3, 1.5)  # between a service's return and the next kill
STOPPED_FOR_S = 30 if LONG else 5  # a lease lasts 3 s


@dataclass
class Outcome:
    violations: list
    customers: Customers
    kills: dict = field(default_factory=dict)

    @property
    def invariants(self):
        """The numbers of the invariants that were violated."""
        return {violation.invariant for violation in self.violations}


def shop_under_fire(seconds, customers=16, victims=NAMES, planted_bug=None, rest_within_s=60,
                    profile="local"):
    """Runs all of it, for so many seconds. The services have the planted bug, if one is named."""
    services = Services({"FREEHOLD_PLANTED_BUG": planted_bug} if planted_bug else {}, profile,
                        several=profile == "scale")
    try:
        shopping = Customers(services, customers)
        shopping.start()
        try:
            kills = _fire(services, victims, seconds, shopping.finished)
        finally:
            shopping.stop()
        violations = check_at_rest(services, shopping.accepted, rest_within_s)
        return Outcome(violations, shopping, kills)
    finally:
        services.close()


def _hit(services, victim, finished):
    if victim == "postgres":
        services.cluster.kill()
        return
    what, _, name = victim.rpartition(" ")
    if what == "paused":
        services.pause(name)
        finished.wait(STOPPED_FOR_S)
        services.resume(name)
    else:
        services.kill(name)
        services.start(name)
    services.until_ready(name)


def _fire(services, victims, seconds, finished):
    """Hits the victims in turn, each once at least, until the time is over, and returns how often
    each was hit."""
    kills = dict.fromkeys(victims, 0)
    end = time.monotonic() + seconds
    if not victims:
        finished.wait(seconds)
    for victim in itertools.cycle(victims):
        if finished.wait(random.uniform(*PAUSES_S)):
            break
        if time.monotonic() > end and min(kills.values()) > 0:
            break
        _hit(services, victim, finished)
        kills[victim] += 1
    return kills
