-- expand
-- The table is written anew after an erasure. A column's statistics hold values of it.
comment on table customer_order is 'personal data';
alter table customer_order alter column delivery_address set statistics 0;
