-- expand
-- As 0006-withdrawn-in-the-stock.sql, whose words hold here. The tables are locked in the order in
-- which those who serve meanwhile lock them.
lock table product in share row exclusive mode;
alter table stock add column withdrawn bigint not null default 0;
update stock set withdrawn = 1
  where product_id in (select id from product where sale = 'withdrawn');
create function stock_follows_sale() returns trigger
  language plpgsql set search_path from current as $$
begin
  update stock set withdrawn = (new.sale = 'withdrawn')::int where product_id = new.id;
  return null;
end $$;
create trigger stock_follows_sale after update of sale on product
  for each row when (new.sale <> old.sale) execute function stock_follows_sale();
