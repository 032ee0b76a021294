# Run by freehold_migrations: writes OUTPUT, the C++ of the steps in DIRECTORY.

file(GLOB steps ${DIRECTORY}/*.sql)
list(SORT steps)
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
    "     R\"step(${text})step\"},\n")
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
