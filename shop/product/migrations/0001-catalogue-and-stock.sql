-- expand
-- The catalogue. `version` counts changes of these columns, never of stock.
-- `number` is this database's own short name of a product, for the search index; nobody else sees
-- it.
create table product (
  number integer primary key,
  id blob not null unique,
  sku text not null unique,
  name text not null,
  description text not null,
  price_amount_minor bigint not null,
  price_currency text not null,
  sale text not null,
  version bigint not null
);

-- What there is of each product. initial + Σ adjustments = on_hand + sold - returned, always.
create table stock (
  product_id blob primary key,
  on_hand bigint not null,
  reserved bigint not null default 0,
  sold bigint not null default 0,
  returned bigint not null default 0,
  check (0 <= reserved and reserved <= on_hand)
) without rowid;

-- Every change of stock by a person, with its reason; the first of a product is its initial stock.
create table stock_adjustment (
  id blob primary key,
  product_id blob not null,
  delta bigint not null,
  reason text not null,
  at bigint not null
) without rowid;

-- One intent to buy: held, then sold or released. A row without lines is the tombstone of a release
-- that came before its reserve. `lines` is JSON: [{"product_id":…,"quantity":…}].
create table reservation (
  id blob primary key,
  state text not null,
  lines text not null
) without rowid;
