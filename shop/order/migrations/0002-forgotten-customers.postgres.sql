-- expand
-- As 0002-forgotten-customers.sql, whose words hold here.
create table forgotten_customer (
  id bytea primary key
);
