// SPDX-License-Identifier: Apache-2.0
//
// The product service: a parts list.
#include "freehold/service/service.h"
#include "shop/product/adjust_stock.h"
#include "shop/product/browse_products.h"
#include "shop/product/manage_catalogue.h"
#include "shop/product/reserve_stock.h"
#include "shop/product/show_reservations.h"
#include "shop/product/store/migrations.h"

int main(int argc, char** argv) {
  freehold::Service service{"product", argc, argv};
  freehold::Database& database = service.database(product::migrations());

  product::ProductBrowsing browsing{database};
  product::CatalogueManagement catalogue{database};
  product::StockKeeping stock{database};

  service.believes_tokens_of("user", "shop");
  service.publishes<product::ProductState>();
  product::accept_stock_commands(service.commands());
  service.holds("reservations", product::show_reservations);
  browsing.routes(service.routes());
  catalogue.routes(service.routes());
  stock.routes(service.routes());
  return service.run();
}
