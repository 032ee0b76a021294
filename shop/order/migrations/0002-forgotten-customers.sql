-- expand
-- Who was erased. Access tokens outlive their account by some minutes: an order that is placed with
-- one after the erasure would bring an address that nobody would ever empty.
create table forgotten_customer (
  id blob primary key
) without rowid;
