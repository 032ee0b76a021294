# Turns the steps of a service's schema into a source of its program:
#
#   freehold_migrations(TARGET DIRECTORY NAMESPACE)
#
# adds to TARGET the function `std::span<const freehold::Migration> NAMESPACE::migrations()`, made
# from DIRECTORY/NNNN-name.sql in the order of their numbers. The first line of each file is
# `-- expand` (the program before this step still runs after it) or `-- contract` (it does not).
# DIRECTORY/NNNN-name.postgres.sql beside it is the same step for PostgreSQL, where the one text
# does not do for both.

set(FREEHOLD_MIGRATIONS_SCRIPT ${CMAKE_CURRENT_LIST_DIR}/GenerateMigrations.cmake)

function(freehold_migrations target directory namespace)
  get_filename_component(directory ${directory} ABSOLUTE)
  file(GLOB steps CONFIGURE_DEPENDS ${directory}/*.sql)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target}_migrations.cc)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DDIRECTORY=${directory} -DNAMESPACE=${namespace}
      -DOUTPUT=${generated} -P ${FREEHOLD_MIGRATIONS_SCRIPT}
    DEPENDS ${steps} ${FREEHOLD_MIGRATIONS_SCRIPT}
    COMMENT "Reading the migrations of ${namespace}"
    VERBATIM)
  target_sources(${target} PRIVATE ${generated})
endfunction()
