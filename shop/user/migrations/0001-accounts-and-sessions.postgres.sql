-- expand
-- As 0001-accounts-and-sessions.sql, whose words hold here. A deleted account stays in the file
-- until it is vacuumed: at the next look that autovacuum takes.
create table account (
  id bytea primary key,
  email text not null unique,
  password_hash text not null,
  name text not null,
  phone text,
  addresses text not null,
  role text not null,
  created_at bigint not null
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);

create table session (
  id bytea primary key,
  user_id bytea not null,
  started_at bigint not null,
  revoked_at bigint
);

create index session_by_user on session (user_id);

create table refresh_token (
  hash text primary key,
  session_id bytea not null,
  issued_at bigint not null,
  replaced_at bigint
);

create index refresh_token_by_session on refresh_token (session_id);
