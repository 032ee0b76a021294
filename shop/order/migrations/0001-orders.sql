-- expand
-- Orders, whole in one row. `lines` is JSON: name, price and version of each product as they were
-- when the order was placed. `delivery_address` is personal; it is emptied when its owner is
-- erased.
create table customer_order (
  id blob primary key,
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
) without rowid;

create index customer_order_by_customer on customer_order (customer_id, id);
