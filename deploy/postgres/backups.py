# SPDX-License-Identifier: Apache-2.0
"""One service's database, put back as it was when pg_dump looked at it. The others go on.

What was there until now is kept under another name, <service>_before_<time>, where no role of the
service may connect; a restore that fails gives it its name back.
"""

import os
import subprocess
import time

import roles


def restore(server, service, dump, credentials):
    """Puts the dump (pg_dump --format=custom) in the place of the service's database, whose program
    does not run. Returns the name under which the former one is kept. RolesError: nothing has
    changed."""
    _check(server, service, dump)
    kept = f"{service}_before_{time.strftime('%Y%m%d_%H%M%S', time.gmtime())}"
    _rename(server, service, kept)
    try:
        roles.set_up(server, [service], credentials)
        _load(server, service, dump)
    except roles.RolesError:
        server.run(f'drop database if exists "{service}"')
        _rename(server, kept, service)
        raise
    return kept


def _check(server, service, dump):
    listed = subprocess.run([_pg_restore(server), "--list", dump], capture_output=True, text=True,
                            check=False)
    if listed.returncode != 0:
        raise roles.RolesError(listed.stderr.strip().replace("\n", "; "))
    if service not in server.run("select datname from pg_database").splitlines():
        raise roles.RolesError(f"there is no database '{service}'")
    if server.run(f"select 1 from pg_stat_activity where datname = '{service}'"):
        raise roles.RolesError(f"somebody is connected to '{service}': stop the service first, all "
                               "instances of it")


def _rename(server, name, to):
    server.run(f'alter database "{name}" rename to "{to}"')


def _load(server, service, dump):
    """As the owner, so that all is his and the other roles have their rights by default."""
    with subprocess.Popen(
            [_pg_restore(server), "--no-owner", "--no-privileges", "--exit-on-error", "--file=-",
             dump], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as script:
        loaded = subprocess.run(
            [*server.run_as, server.psql, "--no-psqlrc", "--no-password", "--quiet",
             "--set=ON_ERROR_STOP=1", f"--dbname={server.conninfo}",
             f"--command=\\connect {service}", f'--command=set role "{service}_owner"',
             "--command=begin", "--file=-", "--command=commit"],
            stdin=script.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            check=False, cwd="/" if server.run_as else None,
            env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"})
        said = script.stderr.read().decode() + loaded.stderr
    if script.returncode != 0 or loaded.returncode != 0:
        raise roles.RolesError(said.strip().replace("\n", "; "))


def _pg_restore(server):
    """Of the same version as psql."""
    return server.psql.removesuffix("psql") + "pg_restore"
