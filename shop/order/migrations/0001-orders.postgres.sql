-- expand
-- As 0001-orders.sql, whose words hold here. What was personal in a row stays in the file until
-- its old version is vacuumed: at the next look that autovacuum takes.
create table customer_order (
  id bytea primary key,
  customer_id bytea not null,
  status text not null,
  reason text,
  lines text not null,
  total_amount_minor bigint not null,
  total_currency text not null,
  delivery_address text,
  placed_at bigint not null,
  settled_at bigint,
  cancellation_asked_at bigint,
  cancelled_at bigint
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

create index customer_order_by_customer on customer_order (customer_id, id);
