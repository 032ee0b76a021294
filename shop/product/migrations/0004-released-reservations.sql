-- expand
-- When a reservation was released: such a row is only kept for commands that come again, and goes
-- when none can come any more. What is held or sold has a null here and is kept: it may have to be
-- given back at any time.
alter table reservation add column released_at bigint;
create index reservation_by_release on reservation (released_at) where released_at is not null;
update reservation set released_at = cast(strftime('%s', 'now') as integer) * 1000000
  where state = 'released';
