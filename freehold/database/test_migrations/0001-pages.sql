-- expand
create table page (
  id integer primary key,
  title text default 'a;b [c] "d" \n ${e} @f@',
  subtitle text
);
