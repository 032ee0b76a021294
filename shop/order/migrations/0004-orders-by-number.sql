-- expand
-- `number` is this database's own short name of an order, given out as orders are committed; nobody
-- else sees it. New rows are added at the end of the table, whose pages they fill, and the index by
-- customer, of which each order touches another page, has entries half as long.
alter table customer_order rename to order_by_id;
create table customer_order (
  number integer primary key,
  id blob not null unique,
  customer_id blob not null,
  status text not null,
  reason text,
  lines text not null,
  total_amount_minor bigint not null,
  total_currency text not null,
  delivery_address text,
  placed_at bigint not null,
  settled_at bigint,             -- confirmed or rejected
  cancellation_asked_at bigint,  -- by the customer, while pending or confirmed
  cancelled_at bigint
);
insert into customer_order (id, customer_id, status, reason, lines, total_amount_minor,
    total_currency, delivery_address, placed_at, settled_at, cancellation_asked_at, cancelled_at)
  select id, customer_id, status, reason, lines, total_amount_minor, total_currency,
    delivery_address, placed_at, settled_at, cancellation_asked_at, cancelled_at
  from order_by_id order by id;
drop table order_by_id;

create index customer_order_by_customer on customer_order (customer_id);
