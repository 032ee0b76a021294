#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule reports the breach that is planted for it, and lets the same thing done right pass."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import clang_tidy  # noqa: E402
import documents  # noqa: E402
import headers  # noqa: E402
import includes  # noqa: E402
import limits  # noqa: E402
import programs  # noqa: E402
import tidy  # noqa: E402
import tree  # noqa: E402
import words  # noqa: E402


def found(rule, texts, root=None):
    """Where the rule finds a breach, as 'path:line'."""
    return [f"{breach.path}:{breach.line}" for breach in rule(tree.Tree(texts, root))]


class RuleTest(unittest.TestCase):
    def assert_breach(self, rule, path, text, line=1):
        self.assertEqual(found(rule, {path: text}), [f"{path}:{line}"], f"{path}\n{text}")

    def assert_passes(self, rule, path, text):
        self.assertEqual(found(rule, {path: text}), [], f"{path}\n{text}")


class Includes(RuleTest):
    def may(self, path, target):
        self.assert_passes(includes.includes, path, f'#include "{target}"\n')

    def may_not(self, path, target):
        self.assert_breach(includes.includes, path, f'\n  #  include "{target}"\n', line=2)

    def test_a_room_includes_what_stands_below_it(self):
        self.may("freehold/saga/journal.cc", "freehold/saga/journal.h")
        self.may("freehold/saga/journal.cc", "freehold/events/log.h")
        self.may("freehold/service/service.h", "freehold/replica/replica.h")
        self.may("freehold/http/remembered_answers.h", "freehold/database/database.h")
        self.may_not("freehold/base/id.cc", "freehold/schema/json.h")
        self.may_not("freehold/events/log.h", "freehold/saga/saga.h")

    def test_a_room_does_not_include_its_neighbours(self):
        self.may_not("freehold/database/lane.cc", "freehold/http/server.h")
        self.may_not("freehold/saga/saga.h", "freehold/replica/replica.h")

    def test_a_room_that_is_not_listed_is_reported(self):
        self.may_not("freehold/base/id.cc", "freehold/queues/queue.h")

    def test_testing_is_included_by_tests_only(self):
        self.may("freehold/base/id_test.cc", "freehold/testing/clock.h")
        self.may("freehold/testing/clock.cc", "freehold/service/service.h")
        self.may("system_tests/kill/kill_test.cc", "freehold/testing/clock.h")
        self.may("shop/order/place_order_test.cc", "freehold/testing/saga_story.h")
        self.may_not("freehold/base/id.cc", "freehold/testing/clock.h")
        self.may_not("shop/order/main.cc", "freehold/testing/clock.h")

    def test_the_toolkit_does_not_include_the_shop(self):
        self.may_not("freehold/service/service.cc", "shop/money/money.h")
        self.may_not("freehold/base/id_test.cc", "shop/money/money.h")

    def test_of_another_service_only_the_contract(self):
        self.may("shop/order/place_order.cc", "shop/product/contract/product_contract.h")
        self.may_not("shop/order/place_order.cc", "shop/product/store/products.h")
        self.may_not("shop/order/main.cc", "shop/product/browse_products.h")
        self.may_not("system_tests/kill/kill_test.cc", "shop/order/store/orders.h")

    def test_the_parts_of_a_service_point_one_way(self):
        self.may("shop/order/place_order.cc", "shop/order/store/orders.h")
        self.may("shop/order/main.cc", "shop/order/place_order.h")
        self.may("shop/order/store/orders.cc", "shop/order/domain/status.h")
        self.may("shop/order/domain/status.cc", "shop/order/contract/order_contract.h")
        self.may_not("shop/order/store/orders.cc", "shop/order/place_order.h")
        self.may_not("shop/order/domain/status.cc", "shop/order/store/orders.h")
        self.may_not("shop/order/contract/order_contract.h", "shop/order/domain/status.h")

    def test_the_domain_is_pure(self):
        self.may("shop/order/domain/price.cc", "freehold/base/result.h")
        self.may_not("shop/order/domain/price.cc", "freehold/database/database.h")
        self.may_not("shop/order/store/orders.cc", "freehold/http/routes.h")

    def test_money_is_for_all_and_needs_nobody(self):
        self.may("shop/order/domain/price.cc", "shop/money/money.h")
        self.may("shop/money/money.h", "freehold/base/result.h")
        self.may_not("shop/money/money.h", "freehold/events/event.h")
        self.may_not("shop/money/money.cc", "shop/order/contract/order_contract.h")

    def test_ours_are_quoted_from_the_root_and_others_are_not(self):
        self.may_not("freehold/base/id.cc", "id.h")
        here = "freehold/base/id.cc"
        self.assert_breach(includes.includes, here, "#include <freehold/base/id.h>")
        self.assert_passes(includes.includes, here, "#include <string>\n")

    def test_beast_stays_in_the_sources_of_http(self):
        beast = "#include <boost/beast/core.hpp>\n"
        self.assert_passes(includes.includes, "freehold/http/server.cc", beast)
        self.assert_breach(includes.includes, "freehold/http/server.h", beast)
        self.assert_breach(includes.includes, "freehold/events/feed.cc", beast)

    def test_what_a_comment_says_is_no_include(self):
        self.assert_passes(includes.includes, "freehold/base/id.h", '//   #include "shop/x.h"\n')


class Limits(RuleTest):
    def test_folders(self):
        many = {f"docs/guides/{number}.md": "" for number in range(41)}
        self.assertEqual(found(limits.folder_sizes, many), ["docs/guides/0.md:1"])
        del many["docs/guides/7.md"]
        self.assertEqual(found(limits.folder_sizes, many), [])

    def test_files(self):
        self.assert_breach(limits.file_sizes, "a.cc", "int a;\n" * 601, line=601)
        self.assert_passes(limits.file_sizes, "a.cc", "int a;\n" * 600)
        self.assert_breach(limits.file_sizes, "a.sh", "\n" + "x" * 101, line=2)
        self.assert_passes(limits.file_sizes, "a.cc", "x" * 100)

    def body(self, lines):
        return "\n  go();" * lines + "\n}\n"

    def test_functions(self):
        for head in ("void f() {", "  int g() const& noexcept {", "TEST(A, b) {", "A::A(int b)\n{",
                     "auto&& h() && {",
                     "template <class T>\nauto f(T t) -> int {"):
            self.assert_breach(limits.function_sizes, "a.cc", head + self.body(70))
        self.assert_passes(limits.function_sizes, "a.cc", "void f() {" + self.body(68))

    def test_functions_in_classes_and_namespaces(self):
        head = "namespace a {\nclass B {\n public:\n  B() : c_{1}, d_{f(2)} {"
        text = head + self.body(70) + "};\n}"
        self.assert_breach(limits.function_sizes, "a.cc", text, line=3)
        many = "class B {\n" + "  int f() { return 1; }\n" * 80 + "};\n"
        self.assert_passes(limits.function_sizes, "a.cc", many)
        for head in ("DESCRIBE(A, (), (b))\nnamespace {", "DESCRIBE(A,\n  ())\n\nstruct B {"):
            self.assert_passes(limits.function_sizes, "a.cc", head + "\n  int a;" * 80 + "\n}")

    def test_braces_in_text_and_tables_are_no_functions(self):
        table = "constexpr Row rows[] = {\n" + '    {f(1), "{"},  // {\n' * 80 + "};\n"
        self.assert_passes(limits.function_sizes, "a.cc", table)
        digits = "int a = 1'000;\nchar b = '{';\n" + "int c() {\n}\n" * 40
        self.assert_passes(limits.function_sizes, "a.cc", digits)

    def test_names(self):
        for path in ("freehold/common/a.cc", "shop/order/util.h", "freehold/base/helpers/a.h",
                     "freehold/base/MixedCase.h", "freehold/base/with-dash.cc"):
            self.assert_breach(limits.names, path, "")
        self.assert_passes(limits.names, "freehold/base/crash_point.h", "")

    def test_type_names(self):
        for text in ("class LaneManager {", "struct OrderData final {", "using RowImpl = Row;",
                     "using A = B;\nenum class XInfo {", "concept UserHelper = true;"):
            self.assertEqual(len(found(limits.type_names, {"a.h": text})), 1, text)
        self.assert_passes(limits.type_names, "a.h", "class Lane {};\nstruct Database {};\n")
        self.assert_passes(limits.type_names, "a.h", "// class LaneManager {\n")


class Words(RuleTest):
    def test_licence(self):
        mark = "SPDX-License-Identifier: Apache-2.0\n"
        for path, text in (("a.cc", f"// {mark}"), ("a.py", f"#!/usr/bin/env python3\n# {mark}"),
                           ("run", f"#!/usr/bin/env bash\n# {mark}")):
            self.assert_passes(words.licence, path, text)
            self.assert_breach(words.licence, path, text.replace("Apache", "MIT"))

    def test_pragma_once(self):
        self.assert_passes(words.pragma_once, "a.h", "// text\n#pragma once\n")
        self.assert_breach(words.pragma_once, "a.h", "// #pragma once\n")
        self.assert_passes(words.pragma_once, "a.cc", "")

    def test_catch_all(self):
        for text in ("try {\n} catch (...) {\n}", "try {\n} catch(\n...) {\n}"):
            self.assert_breach(words.catch_all, "freehold/base/id.cc", text, line=2)
        for frame in words.CATCHES_ALL:
            self.assert_passes(words.catch_all, frame, "try {\n} catch (...) {\n}")
        self.assert_passes(words.catch_all, "a.cc", "// catch (...)\n")

    def test_doors(self):
        for text in ("std::chrono::system_clock::now()", "steady_clock::now()", "int a = rand();",
                     "std::random_device r;", "auto t = std::time(nullptr);"):
            self.assert_breach(words.doors, "freehold/saga/saga.cc", text)
            self.assert_passes(words.doors, "freehold/base/clock.cc", text)
        right = "SteadyClock::now(); event.time();"
        self.assert_passes(words.doors, "freehold/saga/saga.cc", right)

    def test_sleeps(self):
        for text in ("std::this_thread::sleep_for(1s);", "usleep(3);", "sleep_until(t);",
                     "::sleep(1);"):
            self.assert_breach(words.sleeps, "freehold/saga/saga_test.cc", text)
        self.assert_passes(words.sleeps, "shop/order/a.cc", "co_await saga.sleep(24h);")

    def test_autoincrement(self):
        self.assert_breach(words.autoincrement, "a.sql", "\nprimary key AutoIncrement", line=2)
        self.assert_breach(words.autoincrement, "a.cc", 'auto a = "x autoincrement";')
        self.assert_passes(words.autoincrement, "a.sql", "-- never AUTOINCREMENT\n")

    def test_shop_words(self):
        for text in ("return order::confirm();", "namespace product {", "user::errors::all"):
            self.assert_breach(words.shop_words, "freehold/saga/saga.cc", text)
        for text in ("std::strong_order order;", "// order::confirm()", "endian::order::little"):
            self.assert_passes(words.shop_words, "freehold/saga/saga.cc", text)
        self.assert_passes(words.shop_words, "shop/order/main.cc", "order::routes();")


class Documents(RuleTest):
    def test_links(self):
        there = {"docs/a.md": "# A heading: `of` A\n```\n# not one\n```\n", "run": ""}
        good = "[a](docs/a.md) [b](docs/a.md#a-heading-of-a) [c](run) [d](docs) [e](https://x.y/z)"
        self.assertEqual(found(documents.links, {**there, "README.md": good}), [])
        for bad in ("docs/b.md", "docs/a.md#not-one", "../run", "#nowhere"):
            texts = {**there, "README.md": f"text\n[a]({bad})\n"}
            self.assertEqual(found(documents.links, texts), ["README.md:2"], bad)
        self.assert_passes(documents.links, "README.md", "`[a](b)`\n```\n[a](b)\n```\n")

    def test_each_room_has_a_readme(self):
        self.assert_breach(documents.readmes, "freehold/base/id.h", "")
        self.assert_passes(documents.readmes, "freehold/base/CMakeLists.txt", "")
        self.assert_breach(documents.readmes, "freehold/base/README.md", "a\n" * 61, line=61)
        self.assert_breach(documents.readmes, "README.md", "word " * 401)
        self.assert_passes(documents.readmes, "README.md", "word " * 400)


class Programs(RuleTest):
    def test_formatting(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / ".clang-format").write_text("BasedOnStyle: Google\n")
            texts = {"good.cc": "int a;\n", "bad.cc": "int a;\nint  b;\n"}
            for path, text in texts.items():
                (root / path).write_text(text)
            self.assertEqual(found(programs.formatting, texts, root), ["bad.cc:2"])

    def test_scripts(self):
        self.assert_breach(programs.scripts, "a.sh", "true\nif then\n", line=2)
        self.assert_passes(programs.scripts, "run", "#!/usr/bin/env bash\nif true; then :; fi\n")

    def test_generated(self):
        self.addCleanup(setattr, programs, "GENERATED", programs.GENERATED)
        programs.GENERATED = [("echo fresh", "docs/reference/a.md")]
        for text, breaches in (("fresh\n", []), ("stale\n", ["docs/reference/a.md:1"])):
            self.assertEqual(found(programs.generated, {"docs/reference/a.md": text}), breaches)


class ClangTidy(unittest.TestCase):
    def test_a_source_is_read_again_when_anything_in_it_changed(self):
        with tempfile.TemporaryDirectory() as folder:
            header = pathlib.Path(folder, "a.h")

            def key(text="int a;", command="c++ a.cc", checks="bugprone-*"):
                header.write_text(text)
                digests = clang_tidy.Digests(pathlib.Path(folder))
                return clang_tidy.key_of("a.cc", command, [str(header)], digests, checks)

            self.assertEqual(key(), key())
            others = {key(text="int b;"), key(command="c++ -O2 a.cc"), key(checks="performance-*")}
            self.assertEqual(len(others - {key()}), 3)


class HeadersAlone(unittest.TestCase):
    def setUp(self):
        def include(*paths):
            return "".join(f'#include "{path}"\n' for path in paths) + "#include <string>\n"

        users = {f"user_{number}.h": include("b.h") for number in range(9)}
        self.headers = headers.Headers(tree.Tree({
            "a.h": include(), "b.h": include("a.h", "b_inline.h"), "b_inline.h": include("b.h"),
            "other.h": include(), "both.h": include("other.h", "user_0.h"), **users}))

    def test_one_that_many_include_is_precompiled(self):
        self.assertEqual(self.headers.bases(), {"b.h"})

    def test_each_stands_on_what_comes_with_it_and_on_nothing_else(self):
        everything = set(self.headers.included)
        self.assertEqual(self.headers.base("both.h", {"b.h", "user_1.h", "other.h"}), "b.h")
        self.assertEqual(self.headers.base("b.h", everything), "a.h")
        self.assertIsNone(self.headers.base("other.h", everything))

    def test_what_a_header_fails_to_include_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            build = pathlib.Path(folder)
            (build / "CMakeCache.txt").write_text("")
            (build / "compile_commands.json").write_text(json.dumps([{
                "file": "/precompiled.cc",
                "command": f"clang++-19 -std=c++23 -I{folder} -Winvalid-pch"}]))
            (build / "base.h").write_text("#pragma once\n#include <string>\n")
            (build / "good.h").write_text('#include "base.h"\n#include <regex>\nstd::regex used;\n')
            (build / "bad.h").write_text('#include "base.h"\nstd::regex used;\n')
            compiler = headers.Compiler(build, build / "made")
            self.assertIsNone(compiler.precompile("base.h"))
            self.assertIsNone(compiler.compile("good.h", "base.h"))
            self.assertIn("regex", compiler.compile("bad.h", "base.h"))

    def test_no_header_stands_on_what_it_does_not_include_first(self):
        texts = {"used.h": "#pragma once\n",
                 "late.h": 'int a;\n#include "used.h"\n',
                 "commented.h": '/* \n#include "used.h"\n*/\n',
                 "perhaps.h": '#ifdef NEVER\n#include "used.h"\n#endif\n',
                 "inside.h": 'namespace x {\n#include "used.h"\n}\n',
                 "first.h": '// Why.\n#pragma once\n\n#include "used.h"\n'}
        planted = headers.Headers(tree.Tree(texts))
        standing = {path for path in texts if planted.base(path, {"used.h"})}
        self.assertEqual(standing, {"first.h"})

    def test_an_inline_part_does_not_stand_on_what_includes_it(self):
        self.assertEqual(self.headers.base("b_inline.h", set(self.headers.included)), "a.h")


class Everything(unittest.TestCase):
    def test_every_rule_has_a_test_of_its_name(self):
        source = pathlib.Path(__file__).read_text(encoding="utf-8")
        for rule in tidy.RULES:
            self.assertIn(f"{rule.__module__}.{rule.__name__}", source)

    def test_all_rules_are_run_and_breaches_sorted(self):
        planted = tree.Tree({"b/util.sql": "\nautoincrement", "a.py": ""})
        rules = [breach.rule for breach in tidy.check(planted)]
        self.assertEqual(rules, ["licence", "names", "autoincrement"])


if __name__ == "__main__":
    unittest.main()
