# SPDX-License-Identifier: Apache-2.0
"""The programs that the bench runs beside the shop: load, ceiling and empty server."""

import json
import shutil
import sqlite3
import statistics
import subprocess

from books import shape
from postgres_books import shape_on_server
from shop_under_test import BenchFailed

NOTHING = {
    "product_address": "", "order_address": "", "user_address": "", "empty_address": "",
    "empty_target": "/empty", "customers": [], "admin": "", "accounts": [], "products_file": "",
    "made_file": "", "stock": 1_000_000_000, "zipf": 0, "one_product": False, "lines_min": 1,
    "lines_max": 1, "mix": [], "threads": 1, "clients": 1, "per_second": 0, "arrivals": "poisson",
    "warm_up_ms": 0, "counted_ms": 1000, "requests_max": 0}


def start_load(build, plan):
    """A bench_load that runs; to be given to `finished`."""
    process = subprocess.Popen([build / "bench/bench_load"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    mix = [{"weight": 1, **share} for share in plan["mix"]]
    process.stdin.write(json.dumps({**NOTHING, **plan, "mix": mix}))
    process.stdin.close()
    return process


def finished(process):
    """Its report, each action's tally by its name."""
    text = process.stdout.read()
    if process.wait() != 0:
        raise BenchFailed("bench_load did not come to its end")
    report = json.loads(text)
    report["tallies"] = {tally["action"]: tally for tally in report["tallies"]}
    return report


def run_load(build, plan):
    return finished(start_load(build, plan))


class Ceiling:
    """The bare program, on databases of its own that grow from run to run, as the shop's do."""

    def __init__(self, command, products, shape_of_it):
        """`command`: the program with its databases; `shape_of_it()`: what lies in their tables."""
        self._command = [*command, "--products", str(products)]
        self._shape = shape_of_it
        self._orders = 0
        self._run(0.05, 0.05)  # makes the databases
        self._orders = 0
        self._before = self._shape()

    @classmethod
    def of(cls, shop, build, products):
        """Of the kind of database that the shop has."""
        program = build / "bench/bench_ceiling"
        if shop.profile == "local":
            directory = shop.scratch / "ceiling"
            return cls([program, "--directory", directory], products,
                       lambda: _shape_of_files(directory))
        databases = {name: shop.make_database(f"ceiling_{name}") for name in ("order", "product")}
        run_as, _ = databases["order"]
        urls = {name: url for name, (_, url) in databases.items()}
        program = _reachable(program, shop.scratch)
        return cls([*run_as, program, "--order-url", urls["order"], "--product-url",
                    urls["product"]], products, lambda: shape_on_server(urls, run_as))

    def run(self, seconds):
        """Orders a second, and how long one took."""
        return self._run(min(seconds / 4, 0.5), seconds)

    def _run(self, warm_up_s, counted_s):
        done = subprocess.run(
            [*self._command, "--warm-up-ms", str(int(warm_up_s * 1000)),
             "--counted-ms", str(int(counted_s * 1000))], capture_output=True, text=True,
            check=False, cwd="/")
        if done.returncode != 0:
            raise BenchFailed(f"bench_ceiling: {done.stderr.strip()}")
        report = json.loads(done.stdout)
        self._orders += report["orders"]
        return report

    def rows_per_order(self):
        return per_order(self._before, self._shape(), self._orders)


def _shape_of_files(directory):
    found = {}
    for service in ("order", "product"):
        connection = sqlite3.connect(f"file:{directory}/{service}/database.sqlite?mode=ro",
                                     uri=True)
        for table, counts in shape(connection, "main").items():
            found[service, table] = counts
        connection.close()
    return found


def _reachable(program, scratch):
    """A copy that the server's user may run, wherever the build lies."""
    copy = scratch / program.name
    shutil.copy(program, copy)
    copy.chmod(0o755)
    return copy


def per_order(before, after, orders):
    """{(service, table): (rows, characters)} that one order has added, of tables that have grown
    with orders."""
    grown = {}
    for table, (rows, characters) in after.items():
        earlier = before.get(table, (0, 0))
        if (rows - earlier[0]) / orders >= 0.05:
            grown[table] = ((rows - earlier[0]) / orders, (characters - earlier[1]) / orders)
    return grown


def differences(shop, ceiling):
    """Where the ceiling does not write what the shop writes: then they cannot be compared."""
    found = []
    for table in sorted(shop.keys() | ceiling.keys()):
        rows, characters = shop.get(table, (0, 0))
        bare_rows, bare_characters = ceiling.get(table, (0, 0))
        if abs(rows - bare_rows) > 0.05 or abs(characters - bare_characters) > 0.05 * characters:
            found.append(f"an order of the shop makes {rows:.2f} rows with {characters:.0f} "
                         f"characters in {'.'.join(table)}, one of the ceiling {bare_rows:.2f} "
                         f"with {bare_characters:.0f}")
    return found


class EmptyServer:
    def __init__(self, build):
        self._process = subprocess.Popen([build / "bench/bench_empty"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self.address = f"127.0.0.1:{int(self._process.stdout.readline())}"

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def median_of(repetitions):
    """Of dicts of numbers: the median of each, and `spread`: of the first number, the distance of
    the smallest from the largest by the median."""
    middle = {name: statistics.median(each[name] for each in repetitions)
              for name in repetitions[0]}
    rates = [next(iter(each.values())) for each in repetitions]
    rate = statistics.median(rates)
    middle["spread"] = (max(rates) - min(rates)) / rate if rate else 0.0
    return middle
