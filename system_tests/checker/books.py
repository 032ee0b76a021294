# SPDX-License-Identifier: Apache-2.0
"""What the product and the order service have written down, read from their databases.

This is the checker's own reading: it knows the tables and the log's format, and shares no code with
the services. It reads partition 0, the only one that the logs under test have; there a place is a
position. `rows` answers a list of queries from one snapshot, see rows.py.
"""

import json
import uuid
from collections import namedtuple
from dataclasses import dataclass, field

Product = namedtuple("Product", "id name amount_minor currency sale version")
Stock = namedtuple("Stock", "product_id on_hand reserved sold returned withdrawn")
Line = namedtuple("Line", "product_id quantity unit_price_minor line_total_minor product_version")
Event = namedtuple("Event", "position stamp type subject in_reply_to data")
Cursor = namedtuple("Cursor", "consumer position stamp")


@dataclass
class Log:
    log_id: str = ""
    head: int = 0
    low: int = 0
    events: list = field(default_factory=list)
    cursors: dict = field(default_factory=dict)  # consumer → its Cursor
    aside: list = field(default_factory=list)  # consumer, key and why of events set aside


@dataclass
class ProductBooks:
    log: Log = field(default_factory=Log)
    products: dict = field(default_factory=dict)
    stocks: dict = field(default_factory=dict)
    adjusted: dict = field(default_factory=dict)  # product → the sum of its adjustments
    reservations: dict = field(default_factory=dict)  # order → (state, {product: quantity})


@dataclass
class Order:
    id: str
    status: str
    lines: list
    total_minor: int = 0
    settled: bool = True  # confirmed or rejected at some time
    customer: str = ""

    @property
    def was_confirmed(self):
        return self.status == "confirmed" or (self.status == "cancelled" and self.settled)


@dataclass
class OrderBooks:
    log: Log = field(default_factory=Log)
    orders: dict = field(default_factory=dict)
    replica: dict = field(default_factory=dict)
    answers: list = field(default_factory=list)  # (scope, key, order) of idempotent requests
    live_sagas: list = field(default_factory=list)  # (id, status, why)
    # On a server reads are not one after the other: of two orders the later one may have read
    # its prices first.
    reads_in_order: bool = True


def _id(blob):
    return str(uuid.UUID(bytes=blob))


_LOG = (
    "select log_id from freehold_log",
    "select position, low_position from freehold_head where partition = 0",
    "select place, stamp, json from freehold_event order by place",
    "select consumer, position, stamp from freehold_cursor",
    "select consumer, key, why from freehold_aside",
)


def _log(answers):
    identity, head, events, cursors, aside = answers
    log = Log(log_id=identity[0][0], head=head[0][0], low=head[0][1], aside=aside)
    for place, stamp, text in events:
        event = json.loads("{" + text + "}")
        log.events.append(Event(place, stamp, event["type"], event["subject"],
                                event.get("inreplyto"), event.get("data")))
    for row in cursors:
        log.cursors[row[0]] = Cursor(*row)
    return log


def _products(answer):
    products = (Product(_id(row[0]), *row[1:]) for row in answer)
    return {product.id: product for product in products}


_PRODUCT = (
    "select id, name, price_amount_minor, price_currency, sale, version from product",
    "select product_id, on_hand, reserved, sold, returned, withdrawn from stock",
    "select product_id, sum(delta) from stock_adjustment group by product_id",
    "select id, state, lines from reservation",
)


def read_product_books(rows):
    answers = rows([*_LOG, *_PRODUCT])
    products, stocks, adjusted, reservations = answers[len(_LOG):]
    books = ProductBooks(_log(answers[:len(_LOG)]), _products(products))
    for row in stocks:
        books.stocks[_id(row[0])] = Stock(_id(row[0]), *row[1:])
    for product, total in adjusted:
        books.adjusted[_id(product)] = total
    for order, state, lines in reservations:
        books.reservations[_id(order)] = (state, {
            line["product_id"]: line["quantity"] for line in json.loads(lines)})
    return books


_ORDER = (
    "select id, name, price_amount_minor, price_currency, sale, version from product_replica "
    "where freehold_deleted = 0",
    "select id, status, lines, total_amount_minor, settled_at, customer_id from customer_order "
    "order by id",
    {"sqlite": "select scope, key, location from freehold_answer",
     # Several instances have agreed on a digest of both.
     "postgres": "select encode(digest, 'hex') as scope, '' as key, location from freehold_answer"},
    "select id, status, why from freehold_saga where ended = 0",
)


def read_order_books(rows):
    answers = rows([*_LOG, *_ORDER])
    replica, orders, kept, live_sagas = answers[len(_LOG):]
    books = OrderBooks(_log(answers[:len(_LOG)]), replica=_products(replica),
                       live_sagas=live_sagas)
    for row in orders:
        lines = [Line(*(line[name] for name in Line._fields)) for line in json.loads(row[2])]
        books.orders[_id(row[0])] = Order(_id(row[0]), row[1], lines, row[3],
                                          row[4] is not None, _id(row[5]))
    for scope, key, location in kept:
        books.answers.append((scope, key, location.rpartition("/")[2]))
    return books
