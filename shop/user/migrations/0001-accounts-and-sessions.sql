-- expand
-- Accounts. Everything personal that the shop keeps of its customers is in the columns email, name,
-- phone and addresses of this table (addresses of orders apart); an erased account's row is
-- deleted.
create table account (
  id blob primary key,
  email text not null unique,  -- lower case
  password_hash text not null,
  name text not null,
  phone text,
  addresses text not null,     -- JSON: texts or objects
  role text not null,
  created_at bigint not null
) without rowid;

-- One log-in and all refresh tokens that came from it: a family, revoked together.
create table session (
  id blob primary key,
  user_id blob not null,
  started_at bigint not null,
  revoked_at bigint
) without rowid;

create index session_by_user on session (user_id);

-- Refresh tokens, hashed: the text is only with the customer. `replaced_at`: it was used.
create table refresh_token (
  hash text primary key,
  session_id blob not null,
  issued_at bigint not null,
  replaced_at bigint
) without rowid;

create index refresh_token_by_session on refresh_token (session_id);
