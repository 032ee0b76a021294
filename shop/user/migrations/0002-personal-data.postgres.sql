-- expand
-- The table is written anew after an erasure. A column's statistics hold values of it.
comment on table account is 'personal data';
alter table account alter column email set statistics 0,
  alter column password_hash set statistics 0, alter column name set statistics 0,
  alter column phone set statistics 0, alter column addresses set statistics 0;
