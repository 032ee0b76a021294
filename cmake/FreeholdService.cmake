# freehold_service(NAME SOURCES … [TESTS …]): a service of the shop, in its own folder: its parts as
# a library, its migrations, its program (main.cc), and its unit tests, which run on both kinds of
# database (scratch_database.h).
include(FreeholdMigrations)
find_package(PkgConfig REQUIRED)

function(freehold_service name)
  cmake_parse_arguments(service "" "" "SOURCES;TESTS" ${ARGN})
  add_library(shop_${name} STATIC ${service_SOURCES})
  freehold_compile(shop_${name})
  freehold_migrations(shop_${name} migrations ${name})
  target_link_libraries(shop_${name} PUBLIC shop_money freehold_service)
  add_executable(${name} main.cc)
  freehold_compile(${name})
  target_link_libraries(${name} PRIVATE shop_${name})
  if(NOT FREEHOLD_SANITIZE)
    # Many small pieces of memory live and die in each order.
    target_link_libraries(${name} PRIVATE PkgConfig::JEMALLOC)
  endif()
  if(service_TESTS)
    freehold_test(${name}_test SOURCES ${service_TESTS} DEPENDS testing
      LIBRARIES shop_${name} rapidcheck)
    freehold_test_on_postgres(${name})
  endif()
endfunction()
