# SPDX-License-Identifier: Apache-2.0
"""One service's database is restored from a backup while the others run on: everybody who had read
further notices (invariant 11)."""

import json
import os
import re
import unittest

from system_tests.checker.rest import books_at_rest, read_books
from system_tests.running.api import Api, expect
from system_tests.running.services import Services, answered
from system_tests.running.waiting import until
from system_tests.running.whole_shop import make_product

EVENT_ID = re.compile(r"\d\d-\d{19}-[0-9a-f]{16}")


PROFILE = os.environ.get("FREEHOLD_PROFILE", "local")


class Restore(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.services = Services(profile=PROFILE)
        self.addCleanup(self.services.close)
        self.admin = Api(self.services.port_of("product"), self.services.admin())
        self.customer = Api(self.services.port_of("order"), self.services.customer())
        self.product = make_product(self.admin, 100)["id"]
        self.confirmed_order()

    def confirmed_order(self):
        order = expect(201, answered(
            lambda: self.customer.place([(self.product, 1)], wait_s=20), "an order"))
        self.assertEqual(order["status"], "confirmed", order)
        return order["id"]

    def consumers(self, service):
        """The state of each consumer, as an operator sees it."""
        view = json.loads(self.services.command(service, "parked"))
        return {consumer["name"]: consumer for consumer in view["consumers"]}

    def restore(self, name, backup):
        self.services.stop(name)
        self.services.restore(name, backup)
        self.services.start(name)
        self.services.until_ready(name)
        self.admin.close()  # its connection was to the former process

    def assert_stops_and_names_both_places(self, service, consumer):
        stopped = until(lambda: (found := self.consumers(service)[consumer])["state"] == "stopped"
                        and found, f"{consumer} of {service} stops")
        places = set(EVENT_ID.findall(stopped["report"]))
        self.assertGreaterEqual(len(places), 2, stopped["report"])
        self.assertEqual(self.services.metric(
            service, f'freehold_consumer_stopped{{consumer="{consumer}"}}'), 1)

    def at_rest(self):
        return books_at_rest(self.services)

    def test_who_had_read_more_of_a_restored_log_stops_and_names_both_places(self):
        backup = self.services.backup("product")
        self.confirmed_order()
        self.at_rest()
        self.restore("product", backup)
        self.assert_stops_and_names_both_places("order", "sagas@product")

    def test_a_log_that_has_grown_past_its_readers_before_they_look_is_noticed_too(self):
        backup = self.services.backup("product")
        self.confirmed_order()
        read = self.at_rest()[0].log.head
        self.services.stop("order")  # nobody looks
        self.restore("product", backup)
        for _ in range(5):
            make_product(self.admin, 1)
        self.services.start("order")
        self.services.until_ready("order")
        self.assert_stops_and_names_both_places("order", "sagas@product")
        self.assertGreater(read_books(self.services)[0].log.head, read)

    def test_a_replica_alone_builds_itself_anew(self):
        backup = self.services.backup("product")
        expect(200, self.admin.patch(f"/api/products/{self.product}", {"name": "Lost name"},
                                     headers={"If-Match": "*"}))
        make_product(self.admin, 1, name="Lost product")
        self.at_rest()
        self.restore("product", backup)

        def is_as_its_source():
            product, order = read_books(self.services)
            return product.products == order.replica
        until(is_as_its_source, "the replica equals its restored source", every_s=0.2)
        replica = self.consumers("order")["product_replica@product"]
        self.assertEqual((replica["state"], replica["report"]), ("running", ""))

    def test_the_reader_of_commands_notices_a_restored_sender(self):
        backup = self.services.backup("order")
        self.confirmed_order()
        self.at_rest()
        self.restore("order", backup)
        self.assert_stops_and_names_both_places("product", "commands@order")

    def test_the_reader_of_erasures_notices_a_restored_sender(self):
        backup = self.services.backup("user")
        expect(204, Api(self.services.port_of("user"), self.services.customer())
               .delete("/api/users/me"))
        until(lambda: self.consumers("order")["forget_customer@user"]["lag"] == 0,
              "the erasure has been read")
        self.at_rest()
        self.restore("user", backup)
        self.assert_stops_and_names_both_places("order", "forget_customer@user")

    def test_the_other_consumers_and_the_public_api_go_on(self):
        backup = self.services.backup("product")
        order = self.confirmed_order()
        self.at_rest()
        self.restore("product", backup)
        self.assert_stops_and_names_both_places("order", "sagas@product")
        self.assertEqual(self.consumers("order")["forget_customer@user"]["state"], "running")
        self.assertEqual(expect(200, self.customer.get(f"/api/orders/{order}"))["status"],
                         "confirmed")
        expect(202, answered(lambda: self.customer.place([(self.product, 1)]), "an order"))

    def test_after_a_rejoin_all_orders_end_and_the_stock_is_that_of_the_orders(self):
        backup = self.services.backup("product")
        self.confirmed_order()
        self.at_rest()
        self.restore("product", backup)
        self.assert_stops_and_names_both_places("order", "sagas@product")
        waiting = expect(202, answered(
            lambda: self.customer.place([(self.product, 1)]), "an order"))["id"]
        self.services.command("order", "rejoin", "sagas@product")
        until(lambda: expect(200, self.customer.get(f"/api/orders/{waiting}"))["status"] ==
              "confirmed", "the order that waited is confirmed")
        product, order = self.at_rest()
        self.assertEqual(len(order.orders), 3)
        self.assertEqual(product.stocks[self.product].sold, 3)
        self.assertEqual(product.stocks[self.product].reserved, 0)

    # ---- after a rejoin: what each side holds that the other does not know

    def reconcile(self, *words):
        return self.services.command("order", "reconcile", "product", *words)

    def status(self, order):
        return expect(200, self.customer.get(f"/api/orders/{order}"))["status"]

    def refused(self, *words):
        with self.assertRaises(AssertionError) as refused:
            self.services.command(*words)
        return str(refused.exception)

    def test_orders_that_a_restored_order_service_has_lost_are_listed_and_given_back(self):
        changed = self.confirmed_order()
        self.at_rest()  # its replica has the product, too
        backup = self.services.backup("order")
        lost = self.confirmed_order()
        expect(202, self.customer.cancel(changed))
        until(lambda: self.status(changed) == "cancelled", "the order is cancelled")
        read = self.at_rest()[1].log.head
        self.services.stop("product")  # nobody looks
        self.restore("order", backup)
        for _ in range(6):  # three events each, so the log grows past its readers
            expect(202, answered(lambda: self.customer.place([(self.product, 1)]), "an order"))
        until(lambda: read_books(self.services)[1].log.head > read, "the log has grown past them")
        self.services.start("product")
        self.services.until_ready("product")
        self.assert_stops_and_names_both_places("product", "commands@order")
        self.assertIn("first product rejoin commands@order",
                      self.refused("order", "reconcile", "product"))
        self.services.command("product", "rejoin", "commands@order")
        self.at_rest()

        listed = self.reconcile()
        self.assertIn(f"product holds, and order does not know:\n  {lost} sold: give it back\n",
                      listed)
        self.assertIn(f"  {changed} confirmed here, returned there: cancel the order\n", listed)
        self.assertIn("9 compared, 2 differ; to do as it says: order reconcile product apply",
                      listed)
        self.assertEqual(self.reconcile(), listed)  # it has changed nothing
        self.assertIn("2 differ; done as it says", self.reconcile("apply"))
        until(lambda: self.status(changed) == "cancelled", "the order is cancelled again")
        self.assertEqual(self.reconcile(), "reservations: 9 compared, 0 differ\n")
        product, order = self.at_rest()
        self.assertEqual(product.reservations[lost][0], "returned")
        self.assertEqual(len([o for o in order.orders.values() if o.status == "confirmed"]), 7)
        stock = product.stocks[self.product]
        self.assertEqual((stock.reserved, stock.sold - stock.returned, stock.on_hand), (0, 7, 93))

    def test_orders_that_a_restored_product_service_cannot_fill_are_listed(self):
        backup = self.services.backup("product")
        kept = self.confirmed_order()
        new = make_product(self.admin, 5)["id"]

        def order_of_it():
            return answered(lambda: self.customer.place([(new, 1)], wait_s=20), "an order")
        lost = expect(201, order_of_it())["id"]
        self.at_rest()
        self.restore("product", backup)
        self.assert_stops_and_names_both_places("order", "sagas@product")
        self.assertIn("sagas@product is stopped", self.refused("order", "reconcile", "product"))
        self.services.command("order", "rejoin", "sagas@product")

        listed = self.reconcile()
        self.assertIn("order holds, and product does not know:\n"
                      f"  {lost} confirmed: reserve and sell it again\n", listed)
        self.assertNotIn(kept, listed)  # the product service has read what was asked once more
        self.assertIn("3 compared, 1 differ", listed)
