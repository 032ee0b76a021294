# SPDX-License-Identifier: Apache-2.0
"""What must always hold (design, section 6), at rest. Each function returns the violations that it
found in the books; none is good."""

from collections import Counter, defaultdict, namedtuple

Violation = namedtuple("Violation", "invariant what")

FINAL = {"confirmed", "rejected", "cancelled"}


def check_all(product, order, accepted):
    """`accepted`: idempotency key → order, of every order that a client was told to be accepted."""
    return (stock_adds_up(product) + stock_is_what_orders_took(product, order) +
            accepted_orders_are_final(order, accepted) + effects_are_single(product, order) +
            one_order_for_each_key(order, accepted) + nothing_stays_reserved(product, order) +
            versions_are_consecutive(product, order) + replica_equals_source(product, order) +
            stock_knows_what_is_sold(product))


def stock_adds_up(product):
    """1: initial + Σ adjustments = on_hand + sold - returned; 0 ≤ reserved ≤ on_hand."""
    found = []
    for stock in product.stocks.values():
        there = stock.on_hand + stock.sold - stock.returned
        adjusted = product.adjusted.get(stock.product_id, 0)
        if there != adjusted:
            found.append(Violation(1, f"{stock}: {adjusted} units came, {there} are accounted for"))
        if not 0 <= stock.reserved <= stock.on_hand:
            found.append(Violation(1, f"{stock}: reserved is not between 0 and on_hand"))
        if stock.sold - stock.returned > adjusted:
            found.append(Violation(1, f"{stock}: oversold, {adjusted} units came"))
    return found


def stock_is_what_orders_took(product, order):
    """1 and 3: what was sold and what came back is the sum of the orders, each counted once."""
    sold, returned = Counter(), Counter()
    for placed in order.orders.values():
        for line in placed.lines:
            if placed.was_confirmed:
                sold[line.product_id] += line.quantity
            if placed.was_confirmed and placed.status == "cancelled":
                returned[line.product_id] += line.quantity
    found = []
    for stock in product.stocks.values():
        for name, orders in (("sold", sold), ("returned", returned)):
            booked, wanted = getattr(stock, name), orders[stock.product_id]
            if booked != wanted:
                found.append(Violation(3, f"{stock.product_id}: {booked} units are {name}, "
                                          f"the orders make {wanted}"))
    return found


def accepted_orders_are_final(order, accepted):
    """2: an accepted order is lost by no crash, and reaches its end."""
    found = [Violation(2, f"saga {saga} is {status} {why}") for saga, status, why in
             order.live_sagas]
    for key, order_id in accepted.items():
        if order_id not in order.orders:
            found.append(Violation(2, f"order {order_id} was accepted under {key} and is lost"))
    for placed in order.orders.values():
        if placed.status not in FINAL:
            found.append(Violation(2, f"order {placed.id} is {placed.status}"))
    return found


def effects_are_single(product, order):
    """3: each command has its effect once, is answered once, and nothing waits for a person."""
    found = []
    for answered, count in Counter(event.in_reply_to for event in product.log.events
                                   if event.in_reply_to).items():
        if count > 1:
            found.append(Violation(3, f"{answered} was answered {count} times"))
    sent = Counter((event.type, event.subject) for event in order.log.events)
    for (kind, subject), count in sent.items():
        if count > 1:
            found.append(Violation(3, f"{kind} of {subject} was sent {count} times"))
    for name, log in (("product", product.log), ("order", order.log)):
        found += [Violation(3, f"{name} has set aside: {aside}") for aside in log.aside]
    return found


def one_order_for_each_key(order, accepted):
    """3: as many orders as keys, and each key has the order that its client was told."""
    found = []
    orders_of = defaultdict(set)
    for scope, key, order_id in order.answers:
        orders_of[scope, key].add(order_id)
    for name, ids in orders_of.items():
        if len(ids) > 1:
            found.append(Violation(3, f"key {name} has {len(ids)} orders: {sorted(ids)}"))
    claimed = Counter(accepted.values())
    for order_id, count in claimed.items():
        if count > 1:
            found.append(Violation(3, f"order {order_id} was given to {count} keys"))
    for order_id in order.orders.keys() - claimed.keys():
        found.append(Violation(3, f"order {order_id} is one more than its key should have made"))
    return found


RESERVATIONS_OF = {  # an order's end → what may have become of its reservation
    "confirmed": {"sold"},
    "rejected": {None, "released"},
    "cancelled": {"released", "returned"},
}


def nothing_stays_reserved(product, order):
    """5: an order that failed holds nothing, and one that did not fail has sold all it held."""
    found = []
    for stock in product.stocks.values():
        if stock.reserved:
            found.append(Violation(5, f"{stock}: units stay reserved"))
    for order_id, (state, lines) in product.reservations.items():
        if order_id not in order.orders and lines:
            found.append(Violation(5, f"reservation {order_id} is {state} and has no order"))
    for placed in order.orders.values():
        state, lines = product.reservations.get(placed.id, (None, {}))
        if placed.status in FINAL and state not in RESERVATIONS_OF[placed.status]:
            found.append(Violation(5, f"order {placed.id} is {placed.status}, its reservation "
                                      f"{state or 'absent'}"))
        wanted = Counter()
        for line in placed.lines:
            wanted[line.product_id] += line.quantity
        if lines and lines != wanted:
            found.append(Violation(5, f"order {placed.id} is of {dict(wanted)}, its reservation "
                                      f"of {lines}"))
    return found


def versions_are_consecutive(product, order):
    """6: a reader sees the versions of an aggregate as n, n+1, n+2, and a log without a gap."""
    found = []
    for name, log in (("product", product.log), ("order", order.log)):
        positions = [event.position for event in log.events if event.position > log.low]
        if positions != list(range(log.low + 1, log.head + 1)):
            found.append(Violation(6, f"{name}'s log is not dense from {log.low + 1} to "
                                      f"{log.head}"))
    last = {}
    for event in product.log.events:
        if event.type == "product.state.v1" and event.data:
            version = event.data["version"]
            if version != last.get(event.subject, version - 1) + 1:
                found.append(Violation(6, f"product {event.subject}: version {version} follows "
                                          f"{last[event.subject]}"))
            last[event.subject] = version
    seen = {}
    for placed in order.orders.values():  # in the order of their ids, which is that of time
        for line in placed.lines:
            if order.reads_in_order and line.product_version < seen.get(line.product_id, 0):
                found.append(Violation(6, f"order {placed.id} saw version {line.product_version} "
                                          f"of {line.product_id} after {seen[line.product_id]}"))
            seen[line.product_id] = line.product_version
    found += _cursors_stand_on_events("order", order.log, "product", product.log)
    found += _cursors_stand_on_events("product", product.log, "order", order.log)
    return found


def _cursors_stand_on_events(reader, own, source, log):
    """A cursor that is ahead of its log, or at a place of another history, has missed something."""
    stamps = {event.position: event.stamp for event in log.events}
    found = []
    for cursor in own.cursors.values():
        if not cursor.consumer.endswith("@" + source) or cursor.position == 0:
            continue
        if cursor.position > log.head:
            found.append(Violation(6, f"{reader}: {cursor} is beyond {source}'s head {log.head}"))
        elif stamps.get(cursor.position, cursor.stamp) != cursor.stamp:
            found.append(Violation(6, f"{reader}: {cursor} is no place of {source}'s log"))
    return found


def replica_equals_source(product, order):
    """7: at rest every replica equals its source."""
    return [Violation(7, f"the copy {order.replica.get(id)} is not {product.products.get(id)}")
            for id in sorted(product.products.keys() | order.replica.keys())
            if product.products.get(id) != order.replica.get(id)]


def stock_knows_what_is_sold(product):
    """7, within one database: what a stock says of its product's sale is what the product says."""
    return [Violation(7, f"{stock}: its product is {product.products[stock.product_id].sale}")
            for stock in product.stocks.values()
            if bool(stock.withdrawn) != (product.products[stock.product_id].sale == "withdrawn")]
