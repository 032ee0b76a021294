# Run by freehold_migrations: writes OUTPUT, the C++ of the steps in DIRECTORY.

file(GLOB steps ${DIRECTORY}/*.sql)
list(SORT steps)
set(postgres_steps ${steps})
list(FILTER postgres_steps INCLUDE REGEX "\\.postgres\\.sql$")
list(FILTER steps EXCLUDE REGEX "\\.postgres\\.sql$")
foreach(step IN LISTS postgres_steps)
  string(REGEX REPLACE "\\.postgres\\.sql$" ".sql" beside ${step})
  if(NOT EXISTS ${beside})
    message(FATAL_ERROR "${step}: there is no ${beside} beside it")
  endif()
endforeach()
set(rows "")
foreach(step IN LISTS steps)
  get_filename_component(file_name ${step} NAME)
  if(NOT file_name MATCHES "^([0-9][0-9][0-9][0-9])-([a-z0-9-]+)\\.sql$")
    message(FATAL_ERROR "${step}: a migration is called NNNN-name.sql")
  endif()
  set(number ${CMAKE_MATCH_1})
  set(name ${CMAKE_MATCH_2})
  string(REGEX REPLACE "^0+" "" number ${number})
  file(READ ${step} text)
  if(NOT text MATCHES "^-- (expand|contract)\n")
    message(FATAL_ERROR "${step}: its first line must say `-- expand` or `-- contract`")
  endif()
  set(kind ${CMAKE_MATCH_1})
  string(APPEND rows "    {${number}, \"${name}\", freehold::MigrationKind::${kind},\n"
    "     R\"step(${text})step\"")
  string(REGEX REPLACE "\\.sql$" ".postgres.sql" postgres_step ${step})
  if(EXISTS ${postgres_step})
    file(READ ${postgres_step} text)
    if(NOT text MATCHES "^-- ${kind}\n")
      message(FATAL_ERROR "${postgres_step}: its first line must say `-- ${kind}`, as beside it")
    endif()
    string(APPEND rows ",\n     R\"step(${text})step\"")
  endif()
  string(APPEND rows "},\n")
endforeach()

file(WRITE ${OUTPUT} "// Generated from ${DIRECTORY}; do not edit.
#include <span>
#include <vector>

#include \"freehold/database/migration.h\"

namespace ${NAMESPACE} {

std::span<const freehold::Migration> migrations();

std::span<const freehold::Migration> migrations() {
  static const std::vector<freehold::Migration> steps{
${rows}  };
  return steps;
}

}  // namespace ${NAMESPACE}
")
