// SPDX-License-Identifier: Apache-2.0
#include "shop/product/store/products.h"

#include "freehold/events/event.h"

namespace product {
namespace {

using freehold::SqlTransaction;
using freehold::sql::by_key;
using freehold::sql::Change;
using freehold::sql::Dialects;
using freehold::sql::locking;
using freehold::sql::Query;

constexpr Query<ProductState(ProductId)> state_of{
    locking("select id, sku, name, description, price_amount_minor, price_currency, sale, version "
            "from product where id = $1 for update")};

// In SQLite the row of the stock names the product's (migration 0007).
constexpr Query<ProductView(ProductId)> view_of{by_key(
    Dialects{.sqlite = "select id, sku, name, description, price_amount_minor, price_currency, "
                       "sale, on_hand - reserved as available, version "
                       "from stock join product on number = product_number where product_id = $1",
             .postgres = "select id, sku, name, description, price_amount_minor, price_currency, "
                         "sale, on_hand - reserved as available, version "
                         "from product join stock on product_id = id where id = $1"})};

constexpr Query<ProductView(std::optional<ProductId>)> page_after{
    Dialects{.sqlite = "select id, sku, name, description, price_amount_minor, price_currency, "
                       "sale, on_hand - reserved as available, version "
                       "from stock join product on number = product_number "
                       "where product_id > coalesce($1, x'') and sale = 'on_sale' "
                       "order by product_id",
             .postgres = "select id, sku, name, description, price_amount_minor, price_currency, "
                         "sale, on_hand - reserved as available, version "
                         "from product join stock on product_id = id where id > "
                         "coalesce($1, ''::bytea) and sale = 'on_sale' order by id"}};

// In SQLite numbers are in the order of ids (see insert), and the index is: so it is read from the
// place where the last page ended, and no further than this one goes. PostgreSQL's index has no
// order: all that it finds is sorted. So the products that come next are looked at first, four
// times as many as are wanted. If two of these match, many will, and the page is looked for among
// forty times as many as are wanted. Else, or if they do not hold it, the index finds few enough.
// Each `offset 0` keeps what is around it from choosing another way. Of the expression for FTS5,
// PostgreSQL takes the words, each as a beginning.
constexpr Query<ProductView(std::string_view, std::optional<ProductId>, std::int64_t)> found_after{
    Dialects{.sqlite = "select p.id, p.sku, p.name, p.description, price_amount_minor, "
                       "price_currency, sale, on_hand - reserved as available, version "
                       "from product_search f join product p on p.number = f.rowid "
                       "join stock on product_id = p.id where product_search match $1 "
                       "and f.rowid > coalesce((select number from product where id <= $2 "
                       "order by id desc limit 1), 0) order by f.rowid limit $3",
             .postgres =
                 "with wanted as materialized ("
                 "select (select string_agg('''' || word || ''':*', ' & ') "
                 "from unnest(words_of($1)) as word)::tsquery as words), "
                 "sample as materialized ("
                 "select search_words from product where id > coalesce($2, ''::bytea) "
                 "order by id limit 4 * $3), "
                 "near as materialized ("
                 "select id from (select id, search_words from product "
                 "where id > coalesce($2, ''::bytea) order by id limit 40 * $3) as next "
                 "where search_words @@ (select words from wanted) and 1 < (select count(*) "
                 "from sample where search_words @@ (select words from wanted)) "
                 "order by id limit $3), "
                 "found as ("
                 "select id from near where (select count(*) from near) = $3 "
                 "union all "
                 "(select id from (select id from product "
                 "where search_words @@ (select words from wanted) offset 0) as indexed "
                 "where (select count(*) from near) < $3 and id > coalesce($2, ''::bytea) "
                 "order by id limit $3)) "
                 "select product_of_id.* from found cross join lateral ("
                 "select id, sku, name, description, price_amount_minor, price_currency, sale, "
                 "on_hand - reserved as available, version "
                 "from product join stock on product_id = id where id = found.id offset 0) "
                 "as product_of_id order by id"}};

constexpr Query<ProductId(std::string, ProductId)> other_with_sku{
    "select id from product where sku = $1 and id <> $2"};

constexpr Change<void(ProductId, std::string, std::string, std::string, std::int64_t, std::string,
                      Sale, std::int64_t)>
    insert_row{
        "insert into product "
        "(id, sku, name, description, price_amount_minor, price_currency, sale, version) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)"};

constexpr Change<void(ProductId, std::string, std::string, std::string, std::int64_t, std::string,
                      Sale, std::int64_t)>
    update_row{
        "update product set sku = $2, name = $3, description = $4, price_amount_minor = $5, "
        "price_currency = $6, sale = $7, version = $8 where id = $1"};

// In PostgreSQL a column of the row holds its words.
constexpr Change<void(ProductId)> forget_words{
    "delete from product_search where rowid = (select number from product where id = $1)"};

constexpr Change<void(ProductId)> index_words{
    "insert into product_search (rowid, sku, name, description) "
    "select number, sku, name, description from product where id = $1 and sale = 'on_sale'"};

freehold::Result<> write(SqlTransaction& transaction, const ProductState& product,
                         const decltype(insert_row)& change) {
  if (transaction.first(other_with_sku, product.sku, product.id)) return errors::sku_taken;
  transaction.run(change, product.id, product.sku, product.name, product.description,
                  product.price.amount_minor, product.price.currency, product.sale,
                  product.version);
  if (transaction.dialect() == freehold::sql::Dialect::sqlite) {
    transaction.run(forget_words, product.id);
    transaction.run(index_words, product.id);
  }
  append(transaction, product);
  return {};
}

}  // namespace

std::optional<ProductState> find(SqlTransaction& transaction, ProductId id) {
  return transaction.first(state_of, id);
}

std::optional<ProductView> view(SqlTransaction& transaction, ProductId id) {
  return transaction.first(view_of, id);
}

freehold::Page<ProductView> page(SqlTransaction& transaction, std::optional<ProductId> after,
                                 freehold::PageLimits limits) {
  return transaction.page(page_after, limits, after);
}

freehold::Page<ProductView> search_page(SqlTransaction& transaction, std::string_view expression,
                                        std::optional<ProductId> after,
                                        freehold::PageLimits limits) {
  // One row more than the page holds says whether it is the last. PostgreSQL's plan goes by that.
  return transaction.page(found_after, limits, expression, after,
                          static_cast<std::int64_t>(limits.rows) + 1);
}

freehold::Result<> insert(SqlTransaction& transaction, const ProductState& product) {
  return write(transaction, product, insert_row);
}

freehold::Result<> replace(SqlTransaction& transaction, const ProductState& product) {
  return write(transaction, product, update_row);
}

}  // namespace product
