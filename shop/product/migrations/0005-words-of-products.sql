-- expand
-- For PostgreSQL, which has no index of words in the order of ids. This has one.
select 1;
