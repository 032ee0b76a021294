-- expand
-- Who reads a product by its id also reads its stock. The row of the stock names the product's by
-- number, so that this takes two look-ups; the index of ids would be a third.
alter table stock add column product_number integer;
update stock set product_number = (select number from product where id = product_id);
create trigger stock_numbers_its_product after insert on stock
begin
  update stock set product_number = (select number from product where id = new.product_id)
    where product_id = new.product_id;
end;
