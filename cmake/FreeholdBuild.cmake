# How everything here is compiled, and the functions that declare it:
#
#   freehold_room(NAME SOURCES a.cc … DEPENDS other_room … LIBRARIES SQLite::Static …)
#   freehold_test(NAME SOURCES a_test.cc … DEPENDS room … [LABELS …] [TIMEOUT seconds] [WHOLE])
#   freehold_benchmark(PATH DEPENDS room …)   of PATH.cc; by the target `benchmarks` of a release
#
# WHOLE: its cases share what is dear to make, so they run in one process, as one test. What names
# the longest TIMEOUT is begun first, so that no long test is left over for one core.
#
# A room is one static library; it can use only the rooms that it names, so the dependency rules of
# docs/architecture.md hold at link time as well as in tools/tidy.

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED)
# SQLite's code runs for every row, so its calls do not go through a shared library's table.
find_library(SQLITE_ARCHIVE libsqlite3.a REQUIRED)
find_path(SQLITE_HEADERS sqlite3.h REQUIRED)
add_library(SQLite::Static STATIC IMPORTED)
set_target_properties(SQLite::Static PROPERTIES
  IMPORTED_LOCATION ${SQLITE_ARCHIVE} INTERFACE_INCLUDE_DIRECTORIES ${SQLITE_HEADERS}
  INTERFACE_LINK_LIBRARIES "m;dl")
pkg_check_modules(POSTGRES REQUIRED IMPORTED_TARGET libpq)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)

add_library(freehold_flags INTERFACE)
target_include_directories(freehold_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(freehold_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror
  -Wno-sign-conversion -Wno-missing-designated-field-initializers
  -fno-omit-frame-pointer
  $<$<CONFIG:Debug>:$<IF:$<BOOL:$<TARGET_PROPERTY:FREEHOLD_IS_TEST>>,-O0,-O1> -g1>
  $<$<CONFIG:Release>:-O2 -g1>)
target_compile_definitions(freehold_flags INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION
  $<$<BOOL:${FREEHOLD_TESTING}>:FREEHOLD_TESTING=1>)
target_link_options(freehold_flags INTERFACE -fuse-ld=lld)
target_link_libraries(freehold_flags INTERFACE Threads::Threads)
if(FREEHOLD_SANITIZE)
  target_compile_options(freehold_flags INTERFACE
    -fsanitize=${FREEHOLD_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(freehold_flags INTERFACE -fsanitize=${FREEHOLD_SANITIZE})
endif()

# The headers that nearly every source sees, compiled once a build; tests have a second set, with
# GoogleTest's.
function(freehold_precompile name)
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cc "")
  add_library(freehold_${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cc)
  target_link_libraries(freehold_${name} PUBLIC freehold_flags)
  target_compile_options(freehold_${name} PRIVATE -Xclang -fno-pch-timestamp)
  target_precompile_headers(freehold_${name} PRIVATE
    <algorithm> <array> <atomic> <chrono> <expected> <functional> <map> <memory> <mutex> <optional>
    <span> <string> <string_view> <thread> <unordered_map> <variant> <vector>
    <boost/asio/awaitable.hpp> <boost/describe.hpp> <boost/pfr/core.hpp> ${ARGN})
endfunction()
freehold_precompile(precompiled)

# freehold_compile(TARGET [AS_TEST]): with our flags, and what was precompiled. A test's own sources
# and the templates that they instantiate are not optimized: that takes longer than they run.
function(freehold_compile target)
  cmake_parse_arguments(compile "AS_TEST" "" "" ${ARGN})
  set(precompiled freehold_precompiled)
  if(compile_AS_TEST)
    set(precompiled freehold_precompiled_for_tests)
  endif()
  target_link_libraries(${target} PUBLIC freehold_flags)
  target_compile_options(${target} PRIVATE -Xclang -fno-pch-timestamp)
  target_precompile_headers(${target} REUSE_FROM ${precompiled})
  set_target_properties(${target} PROPERTIES FREEHOLD_IS_TEST ${compile_AS_TEST})
endfunction()

function(freehold_room name)
  cmake_parse_arguments(room "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(freehold_${name} STATIC ${room_SOURCES})
  freehold_compile(freehold_${name})
  list(TRANSFORM room_DEPENDS PREPEND freehold_)
  target_link_libraries(freehold_${name} PUBLIC ${room_DEPENDS} PRIVATE ${room_LIBRARIES})
endfunction()

if(FREEHOLD_TESTING)
  find_package(GTest REQUIRED)
  include(GoogleTest)
  freehold_precompile(precompiled_for_tests <gmock/gmock.h> <gtest/gtest.h>)
  target_link_libraries(freehold_precompiled_for_tests PRIVATE GTest::gmock)
  set_target_properties(freehold_precompiled_for_tests PROPERTIES FREEHOLD_IS_TEST ON)
endif()

function(freehold_test name)
  if(NOT FREEHOLD_TESTING)
    return()
  endif()
  cmake_parse_arguments(test "WHOLE" "TIMEOUT" "SOURCES;DEPENDS;LIBRARIES;LABELS" ${ARGN})
  set(cost 0)
  if(test_TIMEOUT)
    set(cost ${test_TIMEOUT})
  else()
    set(test_TIMEOUT 120)
  endif()
  add_executable(${name} ${test_SOURCES})
  freehold_compile(${name} AS_TEST)
  list(TRANSFORM test_DEPENDS PREPEND freehold_)
  target_link_libraries(${name} PRIVATE
    ${test_DEPENDS} ${test_LIBRARIES} GTest::gmock GTest::gtest_main)
  if(test_WHOLE)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES
      TIMEOUT ${test_TIMEOUT} COST ${cost} LABELS "${test_LABELS}")
    return()
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${test_TIMEOUT} COST ${cost} LABELS "${test_LABELS}")
endfunction()

# The same test once more, its scratch databases on a PostgreSQL server of its own (testing's
# ScratchDatabase).
function(freehold_test_on_postgres name)
  if(FREEHOLD_TESTING)
    add_test(NAME ${name}_on_postgres COMMAND ${name}_test)
    set_tests_properties(${name}_on_postgres PROPERTIES
      TIMEOUT 300 COST 300 ENVIRONMENT FREEHOLD_SCRATCH_DATABASE=postgres)
  endif()
endfunction()

if(NOT FREEHOLD_TESTING)
  find_package(benchmark REQUIRED)
  add_custom_target(benchmarks)
endif()

function(freehold_benchmark path)
  if(FREEHOLD_TESTING)
    return()
  endif()
  cmake_parse_arguments(benchmark "" "" "DEPENDS" ${ARGN})
  get_filename_component(name ${path} NAME)
  add_executable(${name} EXCLUDE_FROM_ALL ${path}.cc)
  freehold_compile(${name})
  list(TRANSFORM benchmark_DEPENDS PREPEND freehold_)
  target_link_libraries(${name} PRIVATE ${benchmark_DEPENDS} benchmark::benchmark)
  add_dependencies(benchmarks ${name})
endfunction()
