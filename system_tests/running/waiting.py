# SPDX-License-Identifier: Apache-2.0
"""Waiting for a condition, always with a deadline."""

import os
import time

LONG = bool(os.environ.get("FREEHOLD_LONG"))
DONE_WITHIN_S = 60  # far beyond what it takes: other tests use the same cores


def until(condition, what, within_s=DONE_WITHIN_S, every_s=0.01):
    """The condition's first true value; AssertionError that names `what` after the deadline."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(every_s)
    return value
