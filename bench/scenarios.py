# SPDX-License-Identifier: Apache-2.0
"""What is measured. Each scenario is repeated, its medians are returned as a dict of figures, the
rate first; the invariants are checked before anybody sees them."""

import time

from loads import (Ceiling, EmptyServer, differences, finished, median_of, per_order, run_load,
                   start_load)
from shop_under_test import BenchFailed, until

CUSTOMERS = 16
CROWD = 2  # times --clients
SPENT = "processor_s_per_1000_"
SOLD_OUT_PRODUCTS = 100
READ_CLIENTS = 64
MIXED = [{"action": "order", "weight": 30}, {"action": "order_status", "weight": 60},
         {"action": "own_orders", "weight": 5}, {"action": "price_update", "weight": 3},
         {"action": "product_replacement", "weight": 2}]
ORDERS = [{"action": "order", "weight": 1}]
READS = ("product", "product_page", "search", "own_orders")
FLOOD_CLIENTS = 32
TOKENS_USED_S = 240  # of the 600 that they live


class InvariantBroken(Exception):
    """What does not hold any more, in words."""


class Scenarios:
    def __init__(self, options, shop, books):
        self._options, self._shop, self._books = options, shop, books
        self._made = shop.scratch / "made"
        self._products = shop.scratch / "products"
        self._sold_out = shop.scratch / "sold-out"
        self._accounts = [shop.register() for _ in range(CUSTOMERS)]
        self._log_in_at, self._logged_in = 0, {}
        self._unanswered = 0
        self._empty = None  # EmptyServer
        self._ceiling = None
        self.ceiling_per_s = None
        self.uniform_per_s = None
        self._uniform = None
        self._disk_before = 0

    def close(self):
        if self._empty:
            self._empty.close()

    # ---- what all of them do

    def prepare(self):
        for path, count, stock in ((self._products, self._options.products, 1_000_000_000),
                                   (self._sold_out, SOLD_OUT_PRODUCTS, 0)):
            report = run_load(self._options.build, {
                "product_address": self._shop.address("product"),
                "admin": self._tokens()["admin"], "made_file": str(path), "stock": stock,
                "mix": [{"action": "new_product"}],
                "clients": min(256, count), "requests_max": count, "counted_ms": 300_000})
            if report["tallies"]["new_product"]["answered"] < count:
                raise BenchFailed(f"products could not be made: {report}")
        self.rest()
        self._ceiling = Ceiling.of(self._shop, self._options.build, self._options.products)
        self._check()
        self._disk_before = sum(self._shop.disk_bytes().values())

    def rest(self):
        until(self._books.is_at_rest, "the shop is at rest", within_s=120)

    def _check(self):
        self.rest()
        accepted = self._made.read_text().split() if self._made.exists() else []
        self._made.write_text("")
        found = self._books.check(accepted, self._unanswered)
        self._unanswered = 0
        if found:
            raise InvariantBroken("; ".join(found))

    def _plan(self, mix, seconds=None, **changes):
        seconds = seconds or self._options.seconds
        return {"product_address": self._shop.address("product"),
                "order_address": self._shop.address("order"),
                "user_address": self._shop.address("user"),
                **self._tokens(),
                "accounts": self._accounts, "products_file": str(self._products),
                "made_file": str(self._made), "mix": mix, "clients": self._options.clients,
                "warm_up_ms": int(min(0.5, seconds / 2) * 1000), "counted_ms": int(seconds * 1000),
                **changes}

    def _tokens(self):
        if time.monotonic() > self._log_in_at:
            self._log_in_at = time.monotonic() + TOKENS_USED_S
            self._logged_in = {"customers": self._shop.tokens(self._accounts),
                               "admin": self._shop.admin()}
        return self._logged_in

    def _run(self, mix, **changes):
        return self._noted(run_load(self._options.build, self._plan(mix, **changes)))

    def _noted(self, report):
        self._unanswered += report["unanswered"]
        return report

    def _repeated(self, measure):
        figures = median_of([measure() for _ in range(self._options.repeat)])
        self._check()
        return figures

    def _order_figures(self, report):
        tally = report["tallies"]["order"]
        if tally["answered"] == 0 and tally["last_failure"]:
            raise BenchFailed(f"no order was accepted; the last answer: {tally['last_failure']}")
        return {"accepted_per_s": tally["answered"] / report["counted_s"],
                "confirmed_per_s": tally["confirmed"] / report["counted_s"], **tally["latency"],
                "not_accepted": tally["refused"] + tally["failed"]}

    def _orders(self, mix=None, with_costs=True, **changes):
        self._tokens()  # to log in costs much
        before = self._shop.processor_s()
        report = self._run(mix or ORDERS, **changes)
        self.rest()  # what it began is part of what it costs
        figures = self._order_figures(report)
        if with_costs:
            per_thousand = 1000 / max(1, report["placed"])
            spent = self._shop.processor_s()
            figures.update({f"processor_s_per_1000_{name}": (spent[name] - before[name]) *
                            per_thousand for name in spent})
            figures["processor_s_per_1000_load"] = report["processor_s"] * per_thousand
        return figures

    def _with_ratio(self, figures):
        if self.ceiling_per_s:
            figures["ceiling_ratio"] = figures["confirmed_per_s"] / self.ceiling_per_s
        return figures

    # ---- the scenarios

    def uniform(self):
        """Alternates with the ceiling. Returns both, and where they write different rows."""
        ceilings, uniforms, before, orders = [], [], self._books.shape(), self._books.orders()
        for _ in range(self._options.repeat):
            bare = self._ceiling.run(self._options.seconds)
            ceilings.append({name: bare[name] for name in ("orders_per_s", "p50_ms", "p99_ms")})
            uniforms.append(self._orders())
        shop_rows = per_order(before, self._books.shape(), self._books.orders() - orders)
        self._check()
        ceiling, uniform = median_of(ceilings), median_of(uniforms)
        self.uniform_per_s = uniform["confirmed_per_s"]
        self._uniform = uniform
        different = differences(shop_rows, self._ceiling.rows_per_order())
        if not different:
            self.ceiling_per_s = ceiling["orders_per_s"]
        return ceiling, self._with_ratio(uniform), different

    def crowd(self):
        return self._with_ratio(self._repeated(lambda: self._orders(
            clients=CROWD * self._options.clients)))

    def hot(self):
        return self._with_ratio(self._repeated(lambda: self._orders(one_product=True)))

    def zipf_08(self):
        return self._with_ratio(self._repeated(lambda: self._orders(zipf=0.8)))

    def zipf_12(self):
        return self._with_ratio(self._repeated(lambda: self._orders(zipf=1.2)))

    def mixed(self):
        def measure():
            before = self._shop.processor_s()
            report = self._run(MIXED, zipf=1.0, lines_max=10)
            self.rest()
            tallies = report["tallies"].values()
            answered = sum(tally["answered"] for tally in tallies)
            spent = sum(self._shop.processor_s().values()) - sum(before.values())
            return {"requests_per_s": answered / report["counted_s"],
                    **self._order_figures(report),
                    "order_status_p99_ms": report["tallies"]["order_status"]["latency"]["p99_ms"],
                    "processor_s_per_1000_requests": spent * 1000 / max(1, answered)}
        return self._repeated(measure)

    def gateway(self):
        return self._with_ratio(self._repeated(lambda: self._orders(
            order_address=self._shop.address("gateway"))))

    def sold_out(self):
        def measure():
            report = self._run(ORDERS, products_file=str(self._sold_out))
            tally = report["tallies"]["order"]
            return {"rejected_per_s": tally["rejected"] / report["counted_s"], **tally["latency"],
                    "confirmed_per_s": tally["confirmed"] / report["counted_s"]}
        figures = self._repeated(measure)
        if self.ceiling_per_s:
            figures["ceiling_ratio"] = figures["rejected_per_s"] / self.ceiling_per_s
        return figures

    def reads(self):
        """Each read, and the empty handler before it; two threads of load against two of the
        service."""
        if not self._empty:
            self._empty = EmptyServer(self._options.build)
        seconds = self._options.seconds / 2
        found = {}

        def rate(action, service):
            before = self._shop.processor_s()
            report = self._run([{"action": action}], seconds=seconds, threads=2, made_file="",
                               clients=READ_CLIENTS, empty_address=self._empty.address)
            tally = report["tallies"][action]
            took_s = seconds + min(0.5, seconds / 2)
            return {"answered_per_s": tally["answered"] / report["counted_s"],
                    **tally["latency"],
                    "load_share_of_a_core": report["processor_s"] / took_s,  # of its two
                    "service_share_of_a_core": 0.0 if service is None else
                    (self._shop.processor_s()[service] - before[service]) / took_s}

        for action in READS:
            service = "order" if action == "own_orders" else "product"
            empties, reads = [], []
            for _ in range(self._options.repeat):
                empties.append(rate("empty", None))
                reads.append(rate(action, service))
            empty, figures = median_of(empties), median_of(reads)
            figures["empty_per_s"] = empty["answered_per_s"]
            figures["empty_load_share_of_a_core"] = empty["load_share_of_a_core"]
            figures["empty_ratio"] = _by(figures["answered_per_s"], empty["answered_per_s"])
            found[f"read_{action}"] = figures
        self._check()
        return found

    def idle(self):
        """One customer, one order after the other, and where its time goes."""
        figures = self._orders(clients=1)
        return self._checked_with_stages(figures)

    def half_load(self):
        figures = median_of([self._at_half_load() for _ in range(self._options.repeat)])
        return self._checked_with_stages(figures)

    def _at_half_load(self):
        return self._orders(per_second=self._half_rate(), with_costs=False)

    def _half_rate(self):
        if not self.uniform_per_s:
            raise BenchFailed("half of the peak rate is known after `uniform` only")
        return self.uniform_per_s / 2

    def _checked_with_stages(self, figures):
        self.rest()
        times = self._books.times_since_mark()
        self._check()
        if times:
            stages = ("to_commit_1", "to_commit_2", "to_commit_3")
            for number, stage in enumerate(stages):
                took = sorted((each[number + 1] - each[number]) / 1000 for each in times)
                figures[f"stage_{stage}_p50_ms"] = took[len(took) // 2]
            whole = sorted((each[-1] - each[0]) / 1000 for each in times)
            figures["stage_rest_p50_ms"] = figures["p50_ms"] - whole[len(whole) // 2]
        return figures

    def log_ins(self):
        def measure():
            report = self._run([{"action": "log_in"}], clients=8)
            tally = report["tallies"]["log_in"]
            return {"answered_per_s": tally["answered"] / report["counted_s"], **tally["latency"]}
        return self._repeated(measure)

    def log_in_flood(self):
        """Orders at half of the peak rate, alone and while many log in, in turns."""
        alone, flooded = [], []
        for _ in range(self._options.repeat):
            alone.append(self._at_half_load())
            flood = start_load(self._options.build, self._plan(
                [{"action": "log_in"}], clients=FLOOD_CLIENTS, made_file="",
                seconds=self._options.seconds + 0.5))
            during = self._at_half_load()
            tally = finished(flood)["tallies"]["log_in"]
            during["log_ins_per_s"] = tally["answered"] / (self._options.seconds + 0.5)
            flooded.append(during)
        self._check()
        figures = median_of(flooded)
        figures["p99_ms_alone"] = median_of(alone)["p99_ms"]
        figures["p99_ratio"] = _by(figures["p99_ms"], figures["p99_ms_alone"])
        return figures

    def growth(self):
        """The uniform rate again, when so many orders are there; `empty` is the first one's."""
        missing = self._options.grow - self._books.orders()
        if missing > 0:
            self._run(ORDERS, warm_up_ms=0, counted_ms=600_000, requests_max=missing)
            self._check()
        orders = self._books.orders()
        disk = sum(self._shop.disk_bytes().values()) - self._disk_before
        figures = self._repeated(self._orders)
        costs = [sum(value for key, value in each.items() if key.startswith(SPENT)
                     and key.removeprefix(SPENT) not in ("load", "gateway", "user"))
                 for each in (self._uniform, figures)] if self._uniform else [0, 0]
        figures.update(
            orders_before=orders, disk_bytes_per_order=disk / max(1, orders),
            rate_ratio=_by(self.uniform_per_s or 0.0, figures["confirmed_per_s"]),
            processor_ratio=_by(costs[1], costs[0]))
        return figures


def _by(one, other):
    return one / other if other else 0.0
