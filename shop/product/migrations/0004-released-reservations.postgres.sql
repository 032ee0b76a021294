-- expand
-- As 0004-released-reservations.sql, whose words hold here.
alter table reservation add column released_at bigint;
create index reservation_by_release on reservation (released_at) where released_at is not null;
update reservation set released_at = extract(epoch from now())::bigint * 1000000
  where state = 'released';
