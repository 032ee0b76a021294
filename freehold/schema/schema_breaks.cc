// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <utility>

#include "freehold/schema/json_schema.h"

namespace freehold {
namespace {

namespace json = boost::json;

// Walks two schema documents side by side. A pair of definitions is compared once, so a struct that
// holds itself ends the walk.
class Comparison {
 public:
  Comparison(const json::value& before, const json::value& after)
      : before_(before), after_(after) {}

  void compare(const json::value& before, const json::value& after, const std::string& path) {
    const std::string old_name = reference(before), new_name = reference(after);
    if (!old_name.empty() && !compared_.emplace(old_name, new_name).second) return;
    const json::object* const was = resolve(before_, before);
    const json::object* const is = resolve(after_, after);
    if (!was || !is) return add(path, "is no schema");
    if (!same_kind(*was, *is)) return add(path, "has another type");
    compare_properties(*was, *is, path);
    compare_enumerators(*was, *is, path);
    compare_part(*was, *is, "items", path + "[]");
    compare_part(*was, *is, "additionalProperties", path + "{}");
    compare_alternatives(*was, *is, path);
  }

  std::vector<std::string> take() { return std::move(breaks_); }

 private:
  static std::string reference(const json::value& schema) {
    const json::object* const object = schema.if_object();
    const json::value* const name = object ? object->if_contains("$ref") : nullptr;
    return name && name->is_string() ? std::string{name->get_string()} : std::string{};
  }

  static const json::object* resolve(const json::value& document, const json::value& schema) {
    const std::string name = reference(schema);
    constexpr std::string_view prefix = "#/$defs/";
    if (!name.starts_with(prefix)) return name.empty() ? schema.if_object() : nullptr;
    const json::object* const root = document.if_object();
    const json::value* const all = root ? root->if_contains("$defs") : nullptr;
    const json::object* const definitions = all ? all->if_object() : nullptr;
    const json::value* const found =
        definitions ? definitions->if_contains(name.substr(prefix.size())) : nullptr;
    return found ? found->if_object() : nullptr;
  }

  static bool same_kind(const json::object& was, const json::object& is) {
    return std::ranges::all_of(
        std::initializer_list<const char*>{"type", "format", "minimum"}, [&](const char* key) {
          const json::value* const old_value = was.if_contains(key);
          const json::value* const new_value = is.if_contains(key);
          return old_value && new_value ? *old_value == *new_value : old_value == new_value;
        });
  }

  static std::set<std::string> words(const json::object& schema, const char* key) {
    std::set<std::string> found;
    const json::value* const list = schema.if_contains(key);
    if (!list || !list->is_array()) return found;
    for (const json::value& word : list->get_array())
      if (word.is_string()) found.emplace(word.get_string());
    return found;
  }

  void compare_properties(const json::object& was, const json::object& is,
                          const std::string& path) {
    static const json::object none;
    const auto properties = [](const json::object& schema) -> const json::object& {
      const json::value* const found = schema.if_contains("properties");
      return found && found->is_object() ? found->get_object() : none;
    };
    const std::set<std::string> was_required = words(was, "required");
    const std::set<std::string> is_required = words(is, "required");
    for (const auto& [key, schema] : properties(was)) {
      const std::string name{key};
      const std::string at = path.empty() ? name : path + '.' + name;
      const json::value* const same = properties(is).if_contains(key);
      if (!same) {
        add(at, "was removed");
        continue;
      }
      if (was_required.contains(name) && !is_required.contains(name))
        add(at, "is no longer always there");
      compare(schema, *same, at);
    }
    for (const std::string& name : is_required)
      if (!was_required.contains(name))
        add(path.empty() ? name : path + '.' + name, "is newly required");
  }

  void compare_enumerators(const json::object& was, const json::object& is,
                           const std::string& path) {
    const std::set<std::string> left = words(is, "enum"), before = words(was, "enum");
    if (before.empty() != left.empty()) return add(path, "has another type");
    for (const std::string& name : before)
      if (!left.contains(name)) add(path, "has lost the enumerator " + name);
    // Who reads with the old description knows no name for it, and cannot go on without one.
    for (const std::string& name : left)
      if (!before.contains(name)) add(path, "has gained the enumerator " + name);
  }

  void compare_part(const json::object& was, const json::object& is, const char* key,
                    const std::string& path) {
    const json::value* const old_part = was.if_contains(key);
    const json::value* const new_part = is.if_contains(key);
    if (!old_part != !new_part) return add(path, "has another type");
    if (old_part) compare(*old_part, *new_part, path);
  }

  void compare_alternatives(const json::object& was, const json::object& is,
                            const std::string& path) {
    const json::value* const before = was.if_contains("anyOf");
    const json::value* const after = is.if_contains("anyOf");
    if (!before && !after) return;
    if (!before || !after || !before->is_array() || !after->is_array() ||
        before->get_array().size() != after->get_array().size())
      return add(path, "has another type");
    for (std::size_t i = 0; i < before->get_array().size(); ++i)
      compare(before->get_array()[i], after->get_array()[i], path);
  }

  void add(const std::string& path, std::string_view what) {
    std::string sentence = path.empty() ? "it" : path;
    breaks_.push_back(sentence.append(" ").append(what));
  }

  const json::value& before_;
  const json::value& after_;
  std::set<std::pair<std::string, std::string>> compared_;
  std::vector<std::string> breaks_;
};

}  // namespace

std::vector<std::string> breaks(std::string_view before, std::string_view after) {
  boost::system::error_code failed;
  const json::value was = json::parse(before, failed);
  if (failed) return {"it is compared with a text that is not JSON"};
  const json::value is = json::parse(after, failed);
  if (failed) return {"it is not JSON"};
  Comparison comparison{was, is};
  comparison.compare(was, is, "");
  return comparison.take();
}

}  // namespace freehold
