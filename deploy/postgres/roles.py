# SPDX-License-Identifier: Apache-2.0
"""A database and four roles for each service, on a PostgreSQL 15 server.

What they are, and what they may do, is in database.sql. Here: their passwords, and pg_hba.conf.

A password lies in CREDENTIALS/<service>_<role>.pgpass, mode 0600, as libpq reads it by itself
(`passfile=` in a connection string). It is written before the server hears of it, so a run that is
killed loses none. The server gets a SCRAM verifier, never the password.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import subprocess
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import quote

HERE = Path(__file__).resolve().parent
LOG_INS = ("migrator", "application", "reader")  # the owner has none
LOOPBACK = ("127.0.0.1/32", "::1/128")

_SERVICE = re.compile(r"[a-z][a-z0-9_]{0,40}")
_PASSWORD = re.compile(r"[\w-]{20,}")
_ITERATIONS = 4096  # PostgreSQL's own


class RolesError(Exception):
    """The roles cannot be set up; one line says why."""


@dataclass(frozen=True)
class Server:
    """A server as its superuser reaches it: a connection string of libpq, and what stands before
    the command that is to be run as another user of this system."""
    conninfo: str
    run_as: tuple = ()
    psql: str = "psql"

    def run(self, script):
        """The script's output, a row a line, columns between tabs."""
        outcome = subprocess.run(
            [*self.run_as, self.psql, "--no-psqlrc", "--no-password", "--quiet", "--no-align",
             "--tuples-only", "--field-separator=\t", "--set=ON_ERROR_STOP=1", "--file=-",
             f"--dbname={self.conninfo}"],
            input=script, capture_output=True, text=True, check=False,
            env={**os.environ, "PGOPTIONS": "-c client_min_messages=warning"},
            cwd="/" if self.run_as else None)  # ours may be shut to that user
        if outcome.returncode != 0:
            raise RolesError(outcome.stderr.strip().replace("\n", "; "))
        return outcome.stdout


def set_up(server, services, credentials):
    """Makes what is missing of databases, roles, rights and passwords; the rest stays as it is.
    Nobody may connect because PUBLIC may: to no database of this server."""
    for service in services:
        if not _SERVICE.fullmatch(service):
            raise RolesError(f"'{service}' cannot be a service's name")
    _check_whose_server(server, services)
    credentials.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = _verifiers(server)
    script = []
    for service in services:
        script.append(f"\\set service {service}")
        for role in LOG_INS:
            name = f"{service}_{role}"
            password = _password(pgpass(credentials, service, role), service, name)
            verifier = known.get(name)
            if not matches(verifier, password):
                verifier = verifier_of(password, secrets.token_bytes(16))
            script.append(f"\\set {role}_verifier '{verifier}'")
        script.append((HERE / "database.sql").read_text())
    script.append((HERE / "server.sql").read_text())
    server.run("\n".join(script))


def pgpass(credentials, service, role):
    return credentials / f"{service}_{role}.pgpass"


def conninfo(host, port, service, role, credentials):
    """How this role connects, as a URL of libpq. The password is in a file of its own."""
    return (f"postgresql://{service}_{role}@{host}:{port}/{service}"
            f"?passfile={quote(str(pgpass(credentials, service, role)))}")


def pg_hba(services, networks=LOOPBACK, first=""):
    """pg_hba.conf: who may connect from `networks`, and to what; nobody else does."""
    lines = ["# Made by deploy/postgres: one line for each role, database and network.", first]
    for network in networks:
        # What leaves the machine is encrypted.
        kind = "host" if ip_network(network).is_loopback else "hostssl"
        lines += [f'{kind} "{service}" "{service}_{role}" {network} scram-sha-256'
                  for service in services for role in LOG_INS]
    lines += ["local all all reject", "host all all all reject", ""]
    return "\n".join(line for line in lines if line) + "\n"


def verifier_of(password, salt, iterations=_ITERATIONS):
    """What PostgreSQL keeps of a password, RFC 5803: enough to check it, too little to log in."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def matches(verifier, password):
    """Whether the server's verifier, if it has one, is of this password."""
    parts = re.fullmatch(r"SCRAM-SHA-256\$(\d+):([^$]+)\$[^:]+:.+", verifier or "")
    if not parts:
        return False
    return verifier == verifier_of(password, base64.b64decode(parts[2]), int(parts[1]))


def _check_whose_server(server, services):
    """Other databases that let everybody connect are somebody's; we shut none of them unasked."""
    version, superuser = server.run(
        "select current_setting('server_version_num'), usesuper from pg_user "
        "where usename = current_user").split()
    if int(version) < 150000:
        raise RolesError("the server is older than PostgreSQL 15")
    if superuser != "t":
        raise RolesError("roles and databases are set up by a superuser of the server")
    ours = {*services, "postgres", "template0", "template1"}
    foreign = [name for name in server.run(
        "select datname from pg_database where has_database_privilege('public', oid, 'connect')"
    ).splitlines() if name not in ours]
    if foreign:
        raise RolesError(
            f"everybody may connect to other databases of this server ({', '.join(foreign)}), the "
            "services too: take that from PUBLIC (revoke connect on database … from public), or "
            "use a server of Freehold's own")


def _verifiers(server):
    rows = server.run("select rolname, rolpassword from pg_authid where rolpassword is not null")
    return dict(row.split("\t") for row in rows.splitlines())


def _password(path, service, role):
    """The password in this file, which is made if it is missing."""
    before = f"*:*:{service}:{role}:"
    if path.exists():
        line = path.read_text().removesuffix("\n")
        if not line.startswith(before) or not _PASSWORD.fullmatch(line.removeprefix(before)):
            raise RolesError(f"{path} is not a line '{before}PASSWORD'")
        path.chmod(0o600)
        return line.removeprefix(before)
    password = secrets.token_urlsafe(24)
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with open(unfinished, "x", opener=lambda name, flags: os.open(name, flags, 0o600),
              encoding="utf-8") as file:
        file.write(f"{before}{password}\n")
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return password
