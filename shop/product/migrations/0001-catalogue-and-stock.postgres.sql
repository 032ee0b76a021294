-- expand
-- As 0001-catalogue-and-stock.sql, whose words hold here.
create table product (
  number bigint generated always as identity primary key,
  id bytea not null unique,
  sku text not null unique,
  name text not null,
  description text not null,
  price_amount_minor bigint not null,
  price_currency text not null,
  sale text not null,
  version bigint not null
);

-- Every order updates rows of it: their versions stay in the page, and no index is touched.
create table stock (
  product_id bytea primary key,
  on_hand bigint not null,
  reserved bigint not null default 0,
  sold bigint not null default 0,
  returned bigint not null default 0,
  check (0 <= reserved and reserved <= on_hand)
) with (fillfactor = 50);

create table stock_adjustment (
  id bytea primary key,
  product_id bytea not null,
  delta bigint not null,
  reason text not null,
  at bigint not null
);

create table reservation (
  id bytea primary key,
  state text not null,
  lines text not null
) with (fillfactor = 80);
