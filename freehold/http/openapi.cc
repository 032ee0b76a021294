// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/openapi.h"

#include <boost/json.hpp>

#include "freehold/http/internal/input.h"

namespace freehold::http {
namespace {

namespace json = boost::json;

constexpr std::string_view schema_prefix = "#/components/schemas/";

constexpr std::string_view problem_schema = R"({"type":"object",
"description":"Problem details (RFC 9457): the form of every error answer.",
"properties":{"type":{"type":"string"},"title":{"type":"string"},"status":{"type":"integer"},
"detail":{"type":"string"},"code":{"type":"string"}},"required":["type","title","status","code"]})";

constexpr std::string_view security_schemes = R"({
"user":{"type":"http","scheme":"bearer","bearerFormat":"JWT"},
"service":{"type":"apiKey","in":"header","name":"Freehold-Identity"}})";

json::string_view view(std::string_view text) {
  return {text.data(), text.size()};
}

json::value reference(std::string_view name) {
  return {{"$ref", std::string{schema_prefix} + std::string{name}}};
}

json::value json_content(std::string_view type, json::value schema) {
  return {{view(type), {{"schema", std::move(schema)}}}};
}

json::object parameter(std::string_view name, std::string_view in, bool required,
                       json::value schema) {
  return {{"name", view(name)},
          {"in", view(in)},
          {"required", required},
          {"schema", std::move(schema)}};
}

bool is_in_path(const Route& route, json::string_view name) {
  return std::ranges::find(route.shape().path_parameters,
                           std::string_view{name.data(), name.size()}) !=
         route.shape().path_parameters.end();
}

bool is_required(const json::object& schema, json::string_view name) {
  const json::value* required = schema.if_contains("required");
  if (!required) return false;
  return std::ranges::any_of(required->as_array(),
                             [&](const json::value& each) { return each.as_string() == name; });
}

// What of the input struct is the body: its schema without the members of the path.
json::object body_schema(const Route& route, const json::object& input) {
  json::object properties;
  json::array required;
  for (const auto& [name, schema] : input.at("properties").as_object()) {
    if (is_in_path(route, name)) continue;
    properties.emplace(name, schema);
    if (is_required(input, name)) required.emplace_back(name);
  }
  json::object body{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) body["required"] = std::move(required);
  return body;
}

// Writes parameters and body of the operation; the structs inside the input go to `schemas`.
void describe_input(const Route& route, json::object& operation, SchemaComponents& schemas) {
  if (!route.shape().input_schema) return;
  SchemaComponents seen;
  const json::value root = json::parse(route.shape().input_schema(seen));
  const std::string name{json::value_to<std::string>(root.at("$ref")).substr(schema_prefix.size())};
  const json::object input = json::parse(seen.at(name)).as_object();
  json::array parameters;
  const bool takes_body = internal::takes_body(route.method());
  for (const auto& [member, schema] : input.at("properties").as_object()) {
    const bool in_path = is_in_path(route, member);
    if (in_path || !takes_body)
      parameters.emplace_back(parameter({member.data(), member.size()}, in_path ? "path" : "query",
                                        in_path || is_required(input, member), schema));
  }
  if (route.shape().is_idempotent)
    parameters.emplace_back(parameter("Idempotency-Key", "header", true,
                                      {{"type", "string"}, {"minLength", 1}, {"maxLength", 255}}));
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  json::object body = body_schema(route, input);
  if (takes_body && !body.at("properties").as_object().empty())
    operation["requestBody"] = {{"required", true},
                                {"content", json_content("application/json", std::move(body))}};
  seen.erase(name);
  schemas.merge(seen);
}

json::value security_of(const Route& route) {
  switch (route.access()) {
    case Access::signed_in:
      return json::array{{{"user", json::array{}}}};
    case Access::role: {
      json::array roles;
      for (const std::string& role : route.roles()) roles.emplace_back(view(role));
      return json::array{{{"user", std::move(roles)}}};
    }
    case Access::internal:
      return json::array{{{"service", json::array{}}}};
    case Access::open:
    case Access::undeclared:
      break;
  }
  return json::array{};
}

json::object responses_of(const Route& route, SchemaComponents& schemas) {
  json::object success{{"description", "The answer."}};
  if (route.shape().is_stream)
    success["content"] = json_content("text/event-stream", {{"type", "string"}});
  else if (route.shape().output_schema)
    success["content"] =
        json_content("application/json", json::parse(route.shape().output_schema(schemas)));
  json::object failure{{"description", "Why not."},
                       {"content", json_content("application/problem+json", reference("Problem"))}};
  json::object responses;
  for (const int status : route.statuses()) responses[std::to_string(status)] = success;
  responses["default"] = std::move(failure);
  return responses;
}

std::string operation_id(const Route& route) {
  std::string id;
  for (char c : std::string{name_of(route.method())})
    id += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  for (char c : route.path()) {
    if (c == '{' || c == '}') continue;
    id += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
  }
  return id;
}

json::object operation_of(const Route& route, SchemaComponents& schemas) {
  json::object operation{{"operationId", operation_id(route)}};
  if (!route.summary().empty()) operation["summary"] = view(route.summary());
  describe_input(route, operation, schemas);
  operation["responses"] = responses_of(route, schemas);
  operation["security"] = security_of(route);
  return operation;
}

}  // namespace

std::string openapi_of(const Routes& routes, std::string_view title, std::string_view version) {
  SchemaComponents schemas;
  json::object paths;
  for (const auto& route : routes.all()) {
    std::string method{name_of(route->method())};
    std::ranges::transform(method, method.begin(),
                           [](char c) { return static_cast<char>(c + ('a' - 'A')); });
    json::value& path = paths[view(route->path())];
    if (path.is_null()) path = json::object{};
    path.as_object()[method] = operation_of(*route, schemas);
  }
  json::object components;
  for (const auto& [name, schema] : schemas) components[name] = json::parse(schema);
  components["Problem"] = json::parse(view(problem_schema));
  const json::object document{{"openapi", "3.1.0"},
                              {"info", {{"title", view(title)}, {"version", view(version)}}},
                              {"paths", std::move(paths)},
                              {"components",
                               {{"schemas", std::move(components)},
                                {"securitySchemes", json::parse(view(security_schemes))}}}};
  return json::serialize(document);
}

}  // namespace freehold::http
