-- SPDX-License-Identifier: Apache-2.0
--
-- One service's database and its roles. For psql, as a superuser, with these variables: `service`,
-- and the SCRAM verifiers `migrator_verifier`, `application_verifier`, `reader_verifier`.
-- Run again it changes nothing; killed at any place, it is run again.
--
--   <service>_owner        owns the database and all in it; nobody logs in as it
--   <service>_migrator     acts as the owner: the only one that changes the schema
--   <service>_application  reads and writes rows: the service itself
--   <service>_reader       reads rows: people, reports

\set owner :service _owner
\set migrator :service _migrator
\set application :service _application
\set reader :service _reader

select format('create role %I', name)
from unnest(array[:'owner', :'migrator', :'application', :'reader']) as name
where not exists (select from pg_roles where rolname = name)
\gexec

-- A migrator that inherits nothing cannot make a table that the owner does not own.
alter role :"owner" nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
alter role :"migrator" login noinherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls
  password :'migrator_verifier';
alter role :"application" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
  password :'application_verifier';
alter role :"reader" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
  password :'reader_verifier';

select format('grant %I to %I', :'owner', :'migrator')
where not pg_has_role(:'migrator', :'owner', 'member')
\gexec

-- Texts order by their bytes, as they do in SQLite; letters are those of Unicode.
select format('create database %I owner %I template template0 encoding ''UTF8'' '
              'lc_collate ''C'' lc_ctype ''C.UTF-8''', :'service', :'owner')
where not exists (select from pg_database where datname = :'service')
\gexec

revoke all on database :"service" from public;
grant connect on database :"service" to :"migrator", :"application", :"reader";
alter role :"migrator" in database :"service" set role to :"owner";

\connect :service

revoke all on schema public from public;
grant usage on schema public to :"application", :"reader";

-- Of what the migrator makes later, and of what is there.
alter default privileges for role :"owner" in schema public
  grant select, insert, update, delete on tables to :"application";
alter default privileges for role :"owner" in schema public
  grant usage, select on sequences to :"application";
alter default privileges for role :"owner" in schema public grant select on tables to :"reader";
alter default privileges for role :"owner" revoke execute on functions from public;
alter default privileges for role :"owner" in schema public
  grant execute on functions to :"application";
revoke execute on all functions in schema public from public;
grant execute on all functions in schema public to :"application";
-- After an erasure: the log's segment that may hold what was erased is closed.
grant execute on function pg_catalog.pg_switch_wal() to :"owner";
grant select, insert, update, delete on all tables in schema public to :"application";
grant usage, select on all sequences in schema public to :"application";
grant select on all tables in schema public to :"reader";
