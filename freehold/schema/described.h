// SPDX-License-Identifier: Apache-2.0
//
// One description of a struct, from which its JSON, JSON Schema and SQL columns follow:
//
//   struct Line {
//     ProductId product_id;
//     int quantity;
//   };
//   BOOST_DESCRIBE_STRUCT(Line, (), (product_id, quantity))
//
// The macro stands after the struct, in the same namespace, before the first use: a concept that
// was asked earlier stays false. A described struct is a plain aggregate without base classes and
// C arrays; static members and nested types are its own business and are not listed.
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>
#include <boost/mp11/list.hpp>
#include <boost/pfr/core.hpp>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "freehold/base/assert.h"
#include "freehold/base/id.h"
#include "freehold/schema/internal/type_name.h"

namespace freehold {

// A plain aggregate with BOOST_DESCRIBE_STRUCT. That the macro lists every member is said by
// check_described, in a sentence, when the struct is used. Ids are scalars, never structs.
template <class T>
concept Described =
    std::is_aggregate_v<T> && !IdType<T> && boost::describe::has_describe_members<T>::value;

// An enum with BOOST_DESCRIBE_ENUM. An enumerator is spelled as on the wire and in SQL.
template <class T>
concept DescribedEnum = std::is_enum_v<T> && boost::describe::has_describe_enumerators<T>::value;

namespace internal {

template <class T>
using Members = boost::describe::describe_members<T, boost::describe::mod_public>;
template <class T>
using Enumerators = boost::describe::describe_enumerators<T>;

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class T>
inline constexpr bool is_map<std::map<std::string, T>> = true;

}  // namespace internal

// Compiles only when the description of T is whole: a member that it left out would silently be
// missing from JSON, from SQL and from OpenAPI.
template <Described T>
consteval void check_described() {
  using Bases = boost::describe::describe_bases<T, boost::describe::mod_any_access>;
  static_assert(boost::mp11::mp_empty<Bases>::value, "a described struct has no base classes");
  static_assert(boost::mp11::mp_size<internal::Members<T>>::value == boost::pfr::tuple_size_v<T>,
                "BOOST_DESCRIBE_STRUCT does not list every data member of this struct");
}

template <Described T>
inline constexpr std::size_t member_count = boost::mp11::mp_size<internal::Members<T>>::value;

// The names of T's members, in the order of the description.
template <Described T>
constexpr std::array<std::string_view, member_count<T>> member_names() {
  check_described<T>();
  return []<class... D>(boost::mp11::mp_list<D...>) {
    return std::array<std::string_view, sizeof...(D)>{std::string_view{D::name}...};
  }(boost::mp11::mp_rename<internal::Members<T>, boost::mp11::mp_list>{});
}

// Calls visitor(std::string_view name, member) for each member of `value`, in the order of the
// description; the member comes as a reference, const when `value` is.
template <class T, class Visitor>
  requires Described<std::remove_const_t<T>>
constexpr void for_each_member(T& value, Visitor&& visitor) {
  check_described<std::remove_const_t<T>>();
  boost::mp11::mp_for_each<internal::Members<std::remove_const_t<T>>>(
      [&](auto member) { visitor(std::string_view{member.name}, value.*member.pointer); });
}

// Calls visitor.template operator()<Member>(std::string_view name) for each member's type.
template <Described T, class Visitor>
constexpr void for_each_member_type(Visitor&& visitor) {
  check_described<T>();
  boost::mp11::mp_for_each<internal::Members<T>>([&](auto member) {
    using Member = std::remove_cvref_t<decltype(std::declval<T&>().*member.pointer)>;
    visitor.template operator()<Member>(std::string_view{member.name});
  });
}

// Whether T has a member of that name.
template <Described T>
constexpr bool has_member(std::string_view name) {
  for (std::string_view each : member_names<T>())
    if (each == name) return true;
  return false;
}

// The type's name with its namespaces, as OpenAPI allows it: "product.Line". For documents and
// messages; it is not part of any stored format.
template <class T>
constexpr std::string_view described_name() {
  return internal::type_name<T>();
}

// The enumerators' names, in the order of the description.
template <DescribedEnum E>
constexpr auto enumerator_names() {
  return []<class... D>(boost::mp11::mp_list<D...>) {
    return std::array<std::string_view, sizeof...(D)>{std::string_view{D::name}...};
  }(boost::mp11::mp_rename<internal::Enumerators<E>, boost::mp11::mp_list>{});
}

// The enumerator's name. A value that is no described enumerator is a bug.
template <DescribedEnum E>
std::string_view to_name(E value) {
  std::string_view name;
  boost::mp11::mp_for_each<internal::Enumerators<E>>([&](auto enumerator) {
    if (enumerator.value == value) name = enumerator.name;
  });
  FREEHOLD_ASSERT(!name.empty(), "a value that is none of its enum's described enumerators");
  return name;
}

// The enumerator of that name, if there is one.
template <DescribedEnum E>
std::optional<E> from_name(std::string_view name) {
  std::optional<E> value;
  boost::mp11::mp_for_each<internal::Enumerators<E>>([&](auto enumerator) {
    if (name == enumerator.name) value = enumerator.value;
  });
  return value;
}

// The members of To taken from the members of `from` that have their names: To is a subset of From,
// as a replica's row is of its event.
template <Described To, Described From>
To narrowed(const From& from) {
  To to{};
  boost::mp11::mp_for_each<internal::Members<To>>([&](auto target) {
    constexpr std::string_view name = decltype(target)::name;
    static_assert(has_member<From>(name), "a member of the subset is not a member of the whole");
    boost::mp11::mp_for_each<internal::Members<From>>([&](auto source) {
      if constexpr (std::string_view{decltype(source)::name} == name) {
        static_assert(std::is_same_v<decltype(auto(to.*target.pointer)),
                                     decltype(auto(from.*source.pointer))>,
                      "a member of the subset has another type in the whole");
        to.*target.pointer = from.*source.pointer;
      }
    });
  });
  return to;
}

}  // namespace freehold
