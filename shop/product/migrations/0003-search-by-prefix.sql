-- expand
-- Every word that is searched for may be the beginning of one. Up to eight letters a beginning is
-- looked up like a word; without these indexes each search merges the rows of all words with it.
drop table product_search;
create virtual table product_search using fts5(sku, name, description, prefix='1 2 3 4 5 6 7 8');
insert into product_search (rowid, sku, name, description)
  select number, sku, name, description from product where sale = 'on_sale';
