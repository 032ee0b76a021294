-- expand
-- For PostgreSQL, which has no index of words in the order of ids. SQLite has one.
select 1;
