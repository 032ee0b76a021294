// SPDX-License-Identifier: Apache-2.0
#include "shop/product/store/products.h"

#include <gtest/gtest.h>

#include "freehold/events/event.h"
#include "freehold/testing/scratch_database.h"
#include "shop/product/domain/catalogue.h"
#include "shop/product/store/migrations.h"
#include "shop/product/store/stock.h"

namespace product {
namespace {

using freehold::Result, freehold::SqlTransaction;

class Products : public testing::Test {
 protected:
  Products() {
    freehold::set_own_service("product");
    database_.migrate(migrations());
  }

  ProductState add(std::string sku, std::string name) {
    const ProductState product{.id = ProductId::make(),
                               .sku = std::move(sku),
                               .name = std::move(name),
                               .description = "From far away",
                               .price = {450, "EUR"},
                               .version = 1};
    EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
      FREEHOLD_TRY(insert(t, product));
      begin_stock(t, product.id, 5);
      return {};
    }));
    return product;
  }
  std::vector<std::string> found(std::string_view words,
                                 std::optional<ProductId> after = std::nullopt) {
    std::vector<std::string> skus;
    const auto page = database_.read([&](SqlTransaction& t) {
      return search_page(t, search_expression(words), after, {.rows = 10});
    });
    for (const ProductView& product : page.rows) skus.push_back(product.sku);
    return skus;
  }

  freehold::ScratchDatabase database_;
};

using Skus = std::vector<std::string>;

TEST_F(Products, a_product_is_read_as_it_was_written_with_its_stock) {
  const auto tea = add("TEA", "Green tea");
  const auto view = database_.read([&](SqlTransaction& t) { return product::view(t, tea.id); });
  ASSERT_TRUE(view);
  EXPECT_EQ(view->name, "Green tea");
  EXPECT_EQ(view->price, (money::Money{450, "EUR"}));
  EXPECT_EQ(view->available, 5);
}

TEST_F(Products, a_sku_belongs_to_one_product) {
  add("TEA", "Green tea");
  const ProductState other{.id = ProductId::make(), .sku = "TEA", .name = "Black", .version = 1};
  EXPECT_TRUE(database_.write([&](SqlTransaction& t) { return insert(t, other); })
                  .error()
                  .is(errors::sku_taken));
}

TEST_F(Products, pages_go_by_id_and_show_each_product_once) {
  for (int i = 0; i < 5; ++i) add("SKU-" + std::to_string(i), "Tea");
  const auto first = database_.read([](SqlTransaction& t) { return page(t, {}, {.rows = 3}); });
  add("SKU-5", "Tea");  // later than all: it comes at the end
  const auto second =
      database_.read([&](SqlTransaction& t) { return page(t, first.rows.back().id, {.rows = 3}); });
  ASSERT_EQ(first.rows.size(), 3U);
  EXPECT_FALSE(first.is_last);
  ASSERT_EQ(second.rows.size(), 3U);
  EXPECT_TRUE(second.is_last);
  EXPECT_EQ(first.rows[0].sku, "SKU-0");
  EXPECT_EQ(second.rows[0].sku, "SKU-3");
  EXPECT_EQ(second.rows[2].sku, "SKU-5");
}

TEST_F(Products, search_finds_beginnings_of_words_in_name_description_and_sku) {
  add("TEA-1", "Green tea");
  add("CUP-1", "Large cup");
  EXPECT_EQ(found("gre"), (Skus{"TEA-1"}));
  EXPECT_EQ(found("far"), (Skus{"TEA-1", "CUP-1"}));
  EXPECT_EQ(found("green cup"), Skus{});
  EXPECT_EQ(found("cup 1"), (Skus{"CUP-1"}));
}

TEST_F(Products, search_goes_on_behind_any_id) {
  const auto later = [] {  // than every id so far
    for (const auto before = freehold::now(); freehold::now() <= before;) continue;
  };
  const auto first = add("A", "Tea");
  later();
  const auto second = add("B", "Tea");
  later();
  const ProductId between = ProductId::make();
  later();
  add("D", "Tea");
  later();
  add("C", "Cup");
  EXPECT_EQ(found("tea"), (Skus{"A", "B", "D"}));
  EXPECT_EQ(found("tea", first.id), (Skus{"B", "D"}));
  EXPECT_EQ(found("tea", second.id), (Skus{"D"}));
  EXPECT_EQ(found("tea", between), (Skus{"D"})) << "of nothing that is there";
  EXPECT_EQ(found("tea", ProductId::make()), Skus{});
}

TEST_F(Products, search_takes_letters_of_any_script_without_case_and_accents) {
  add("TEA-1", "Thé vert ÉTÉ");
  add("TEA-2", "Чай зелёный");
  add("TEA-3", "緑茶");
  EXPECT_EQ(found("the"), (Skus{"TEA-1"}));
  EXPECT_EQ(found("été"), (Skus{"TEA-1"}));
  EXPECT_EQ(found("чай"), (Skus{"TEA-2"}));
  EXPECT_EQ(found("ЧАЙ ЗЕЛ"), (Skus{"TEA-2"}));
  EXPECT_EQ(found("緑"), (Skus{"TEA-3"}));
  EXPECT_EQ(found("far"), (Skus{"TEA-1", "TEA-2", "TEA-3"}));
}

// On PostgreSQL a page of three looks at sixteen products, and if two match at a hundred and sixty,
// before it asks the index.
TEST_F(Products, search_shows_every_match_once_whether_many_or_few_or_far_away) {
  constexpr int products = 300;
  EXPECT_TRUE(database_.write([](SqlTransaction& t) -> Result<> {
    for (int i = 0; i < products; ++i) {
      ProductState product{.id = ProductId::make(), .sku = std::to_string(1000 + i), .version = 1};
      product.name = "common";
      if (i % 30 == 7) product.name += " seldom";
      if (i % 7 == 0) product.name += " often";
      if (i < 20) product.name += " early";
      if (i < 2 || i == products - 1) product.name += " ends";
      if (i >= 200 && i < 220) product.name += " late";
      if (i == products - 1) product.name += " last";
      FREEHOLD_TRY(insert(t, product));
      begin_stock(t, product.id, 5);
    }
    return {};
  }));
  const auto expect_pages_of = [&](std::string_view words, auto is_match) {
    Skus expected, shown;
    for (int i = 0; i < products; ++i)
      if (is_match(i)) expected.push_back(std::to_string(1000 + i));
    std::optional<ProductId> after;
    for (bool is_last = false; !is_last && shown.size() <= products;) {
      const auto page = database_.read([&](SqlTransaction& t) {
        return search_page(t, search_expression(words), after, {.rows = 3});
      });
      for (const ProductView& product : page.rows) shown.push_back(product.sku);
      is_last = page.is_last;
      if (!is_last) after = page.rows.back().id;
    }
    EXPECT_EQ(shown, expected) << words;
  };
  expect_pages_of("common", [](int) { return true; });
  expect_pages_of("comm seld", [](int i) { return i % 30 == 7; });
  expect_pages_of("often", [](int i) { return i % 7 == 0; });
  expect_pages_of("ends", [](int i) { return i < 2 || i == products - 1; });
  expect_pages_of("early", [](int i) { return i < 20; });
  expect_pages_of("late", [](int i) { return i >= 200 && i < 220; });
  expect_pages_of("last", [](int i) { return i == products - 1; });
  expect_pages_of("early late", [](int) { return false; });
}

TEST_F(Products, search_copes_with_a_word_of_any_length) {
  const std::string word(5000, 'w');
  add("LONG", word);
  EXPECT_EQ(found(word), (Skus{"LONG"}));
  EXPECT_EQ(found("www"), (Skus{"LONG"}));
}

TEST_F(Products, search_follows_changes_and_withdrawal) {
  auto tea = add("TEA-1", "Green tea");
  const auto write = [&](const ProductState& product) {
    ASSERT_TRUE(database_.write([&](SqlTransaction& t) { return replace(t, product); }));
  };
  tea = changed(tea, {.name = "Black tea"}).value();
  write(tea);
  EXPECT_EQ(found("green"), Skus{});
  EXPECT_EQ(found("black"), (Skus{"TEA-1"}));
  write(withdrawn(tea));
  EXPECT_EQ(found("black"), Skus{});
  EXPECT_TRUE(database_.read([](SqlTransaction& t) { return page(t, {}, {}); }).rows.empty());
}

TEST_F(Products, every_change_is_a_state_event) {
  const auto tea = add("TEA-1", "Green tea");
  ASSERT_TRUE(database_.write(
      [&](SqlTransaction& t) { return replace(t, changed(tea, {.name = "Tea"}).value()); }));
  const auto events =
      database_.read([](SqlTransaction& t) { return t.books().events_after(0, 0, 10, 1 << 20); });
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].type, "product.state.v1");
  EXPECT_NE(events[1].json.find(R"("version":2)"), std::string::npos);
}

TEST(ProductMigrations, a_program_from_before_the_column_of_words_finds_and_writes_on) {
  freehold::ScratchDatabase database;
  database.migrate(migrations().first(4));
  if (database.read([](SqlTransaction& t) { return t.dialect(); }) !=
      freehold::sql::Dialect::postgres)
    GTEST_SKIP() << "in SQLite nothing changes";
  const auto write_as_before = [&] {
    ASSERT_TRUE(database.write([&](SqlTransaction& t) -> Result<> {
      t.run_script(
          "insert into product (id, sku, name, description, price_amount_minor, price_currency, "
          "sale, version) values (uuid_send(gen_random_uuid()), gen_random_uuid()::text, "
          "'Green tea', '', 1, 'EUR', 'on_sale', 1); "
          "insert into stock (product_id, on_hand) select id, 1 from product "
          "where id not in (select product_id from stock); "
          "delete from product_search; "
          "insert into product_search (number, words) select number, "
          "array_to_tsvector(words_of(sku || ' ' || name || ' ' || description)) "
          "from product where sale = 'on_sale'");
      return {};
    }));
  };
  constexpr freehold::sql::Query<std::int64_t()> found_as_before{
      "select count(*) as found from product_search f join product p on p.number = f.number "
      "where words @@ '''gre'':*'::tsquery"};
  write_as_before();
  database.migrate(migrations().subspan(4));
  write_as_before();
  const auto [as_before, found] = database.read([&](SqlTransaction& t) {
    return std::pair{t.first(found_as_before),
                     search_page(t, search_expression("gre"), {}, {}).rows.size()};
  });
  EXPECT_EQ(as_before, 2);
  EXPECT_EQ(found, 2U);
}

TEST(ProductMigrations, a_product_from_before_the_number_in_the_stock_is_read) {
  freehold::set_own_service("product");
  freehold::ScratchDatabase database;
  const auto write_as_before = [&](ProductId id) {
    ASSERT_TRUE(database.write([&](SqlTransaction& t) {
      return insert(t, {.id = id, .sku = id.text(), .name = "Tea", .version = 1});
    }));
    ASSERT_TRUE(database.write([&](SqlTransaction& t) -> Result<> {
      begin_stock(t, id, 5);
      return {};
    }));
  };
  const auto before = ProductId::make();
  const auto after = ProductId::make();
  database.migrate(migrations().first(6));
  write_as_before(before);
  database.migrate(migrations().subspan(6));
  write_as_before(after);
  for (const ProductId id : {before, after})
    EXPECT_TRUE(database.read([&](SqlTransaction& t) { return view(t, id); })) << id.text();
  EXPECT_EQ(database.read([](SqlTransaction& t) { return page(t, {}, {.rows = 3}); }).rows.size(),
            2U);
}

}  // namespace
}  // namespace product
