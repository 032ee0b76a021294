-- expand
create table page (id bigint primary key, title text, subtitle text);
