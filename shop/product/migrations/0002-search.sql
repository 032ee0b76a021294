-- expand
-- The words of the products that are on sale, by product.number; it filters and does not rank.
create virtual table product_search using fts5(sku, name, description);
