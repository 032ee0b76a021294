# SPDX-License-Identifier: Apache-2.0
"""Waits until nothing moves any more, and then has all invariants checked."""

from system_tests.checker.books import read_order_books, read_product_books
from system_tests.checker.invariants import Violation, check_all
from system_tests.running.api import Api
from system_tests.running.waiting import until

REST_WITHIN_S = 60
READERS = {"order": {"commands@order"},  # of a service's log
           "product": {"product_replica@product", "sagas@product"}}


def books_at_rest(services, within_s=REST_WITHIN_S):
    """The product's and the order's books, once no saga is under way and every reader has read all.
    After the deadline they are returned as they are: what is not at its end is a violation."""
    newest = []

    def at_rest():
        newest[:] = read_books(services)
        return is_at_rest(*newest)

    try:
        until(at_rest, "the services are at rest", within_s, every_s=0.3)
    except AssertionError:
        pass
    return newest


def read_books(services):
    """The product's and the order's books as they are now; the order's are the older ones."""
    order = read_order_books(lambda queries: services.rows("order", queries))
    order.reads_in_order = services.profile == "local"
    return [read_product_books(lambda queries: services.rows("product", queries)), order]


def is_at_rest(product, order):
    """The order's books are the older ones: if the product service has read all of that log, and
    the order service all of the newer product log, nobody can have appended since. A reader that
    has read nothing yet has no cursor."""
    def has_read_all(reader, source, log):
        return {name for name, cursor in reader.cursors.items()
                if cursor.position == log.head} >= READERS[source]
    return (not order.live_sagas and not product.log.aside and not order.log.aside and
            has_read_all(product.log, "order", order.log) and
            has_read_all(order.log, "product", product.log))


def check_at_rest(services, accepted, within_s=REST_WITHIN_S):
    """All violations of design, section 6: 1, 2, 3, 5, 6 and 7."""
    product, order = books_at_rest(services, within_s)
    if not product.stocks or not order.orders:
        raise AssertionError("the books are empty: nothing can be said about them")
    found = check_all(product, order, accepted) + public_api_agrees(services, product, order)
    services.command("order", "rebuild", "product_replica")
    _, rebuilt = books_at_rest(services, within_s)
    if rebuilt.replica != order.replica:
        found.append(Violation(7, "the replica, rebuilt from the start, is another one"))
    return found


def public_api_agrees(services, product, order):
    """1 and 2, as everybody sees it: what is shown is what was written down."""
    admin = services.admin()
    found = []
    catalogue = Api(services.port_of("product"), admin)
    for stock in product.stocks.values():
        shown = catalogue.get(f"/api/products/{stock.product_id}/stock").json
        wanted = {"on_hand": stock.on_hand, "reserved": stock.reserved, "sold": stock.sold,
                  "returned": stock.returned, "available": stock.on_hand - stock.reserved}
        if shown != wanted:
            found.append(Violation(1, f"{stock.product_id}: the books have {wanted}, "
                                      f"the API shows {shown}"))
    shown, after = {}, ""
    api = Api(services.port_of("order"), admin)
    while True:
        page = api.get(f"/api/orders?limit=100{after}").json
        shown.update((item["id"], item["status"]) for item in page["items"])
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    for order_id in shown.keys() | order.orders.keys():
        status = order.orders[order_id].status if order_id in order.orders else None
        if shown.get(order_id) != status:
            found.append(Violation(2, f"order {order_id} is {status}, the API shows "
                                      f"{shown.get(order_id)}"))
    return found
