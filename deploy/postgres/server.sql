-- SPDX-License-Identifier: Apache-2.0
--
-- For psql, as a superuser: to have a role on this server is not enough to connect to a database.
-- PostgreSQL lets PUBLIC connect to every new one, `postgres` and `template1` included.
select format('revoke all on database %I from public', datname) from pg_database order by datname
\gexec
