-- expand
-- For SQLite; PostgreSQL finds a product by its id in the index that names its row's place.
select 1;
