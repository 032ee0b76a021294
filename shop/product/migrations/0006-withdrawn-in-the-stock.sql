-- expand
-- Each line of an order asks whether its product may be reserved. The answer stands in the row of
-- the stock, which is written next anyway; in `product` it would cost two more pages, of the index
-- and of the row. The database itself keeps it, so that a withdrawal by a program of before counts
-- as well.
alter table stock add column withdrawn bigint not null default 0;
update stock set withdrawn = 1
  where product_id in (select id from product where sale = 'withdrawn');
create trigger stock_follows_sale after update of sale on product when new.sale <> old.sale
begin
  update stock set withdrawn = (new.sale = 'withdrawn') where product_id = new.id;
end;
