-- expand
-- The words of the products that are on sale, by product.number; it filters and does not rank.
create table product_search (
  number bigint primary key,
  words tsvector not null
);

create index product_search_by_word on product_search using gin (words);

-- The words of a text as SQLite's fts5 takes them: runs of letters and digits, in lower case and
-- without their accents. PostgreSQL's own parser would make a number of the "-1" in "TEA-1". What
-- is longer than an entry of its index may be is cut, here as in what is searched for. What a
-- letter is, Unicode says, whatever the locale of the database.
create function words_of(text) returns text[]
language sql immutable strict parallel safe
return array(
  select left(word, 500)
  from regexp_split_to_table(
    lower(regexp_replace(normalize($1, nfkd), U&'[\0300-\036F]', '', 'g') collate "und-x-icu"),
    '[^[:alnum:]]+') as word
  where word <> '');
