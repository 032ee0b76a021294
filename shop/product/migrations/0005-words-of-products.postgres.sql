-- expand
-- The body of 0002-search.postgres.sql, in a language that keeps its plan: a statement that calls
-- a function of plain SQL plans that anew: a third of what a search of a few rows costs.
create or replace function words_of(text) returns text[]
language plpgsql immutable strict parallel safe
as $$
begin
  return array(
    select left(word, 500)
    from regexp_split_to_table(
      lower(regexp_replace(normalize($1, nfkd), U&'[\0300-\036F]', '', 'g') collate "und-x-icu"),
      '[^[:alnum:]]+') as word
    where word <> '');
end
$$;

-- The words of a product that is on sale stand in its row: a search in the order of ids reads no
-- other table. New words go into the index at once; its list of pending ones would be read through
-- by each search. Pages keep some room, so that a change of a price puts no words into it again.
--
-- The table is rewritten and locked meanwhile, 5 s for 100,000 products of few words: who waits
-- for 1 s to read it or for 3 s to write it fails, and may ask again.
alter table product set (fillfactor = 80);
alter table product add column search_words tsvector generated always as (
  case when sale = 'on_sale'
    then array_to_tsvector(words_of(sku || ' ' || name || ' ' || description)) end) stored;
create index product_by_word on product using gin (search_words) with (fastupdate = off);

-- As programs of before know it; what they write there, the column holds already.
drop table product_search;
create view product_search as select number, search_words as words
  from product where search_words is not null;
create rule words_are_inserted as on insert to product_search do instead nothing;
create rule words_are_deleted as on delete to product_search do instead nothing;
