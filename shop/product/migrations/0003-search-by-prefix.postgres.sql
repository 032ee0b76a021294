-- expand
-- The index of words finds their beginnings already; that step is for SQLite.
comment on index product_search_by_word is 'words and their beginnings';
