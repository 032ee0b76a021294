# SPDX-License-Identifier: Apache-2.0
"""Reads topology.toml, and makes from it what each process reads at its start:

  DIR/run/<instance>.toml    the configuration of a service's instance: order, order-2
  DIR/run/supervisord.conf   supervisor's
  DIR/run/nginx/nginx.conf   the gateway's, from shop/gateway/nginx.conf.in

They are made anew at each start and are not to be edited. In the profile `local` each service keeps
its data in DIR/<service>, in `scale` on PostgreSQL: in a private cluster in DIR/postgres, or on the
server that is named for it; there a service may have several instances, which share its directory
(the key by which its peers know it) and its database.
"""

import os
import re
import shlex
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
TOPOLOGY = REPOSITORY / "deploy/local/topology.toml"
NGINX_TEMPLATE = REPOSITORY / "shop/gateway/nginx.conf.in"

sys.path.insert(0, str(REPOSITORY / "deploy/postgres"))
import roles  # noqa: E402

PROFILES = ("local", "scale")

# Quoting in nginx, supervisor and TOML differs; a directory of these characters is one in all.
_PLAIN_PATH = re.compile(r"/[\w./ +@=,:~-]*")
_SOCKET_PATH_MAX = 95  # of the 107 of a Unix socket: supervisor adds its process id for a moment


class TopologyError(Exception):
    """The topology, the data directory or the port cannot be used; one line says why."""


@dataclass(frozen=True)
class Place:
    """One start of the shop: where its data, its programs and its first port are."""
    data: Path
    build: Path
    port: int
    profile: str = "local"
    database_urls: dict = field(default_factory=dict)  # of services whose server is not ours

    @property
    def postgres(self):
        return self.data / "postgres"

    @property
    def run(self):
        return self.data / "run"

    @property
    def logs(self):
        return self.data / "logs"

    def program(self, service):
        return self.build / "shop" / service / service

    def configuration(self, instance):
        return self.run / f"{instance}.toml"


@dataclass(frozen=True)
class Service:
    name: str
    port_offset: int
    scale_port_offsets: tuple
    peers: tuple
    callers: tuple
    routes: tuple
    retention_days: int


@dataclass(frozen=True)
class Instance:
    """One process of a service. Its number is 1 for the first, which has the service's name."""
    service: Service
    number: int
    port_offset: int

    @property
    def name(self):
        return self.service.name if self.number == 1 else f"{self.service.name}-{self.number}"


@dataclass(frozen=True)
class Topology:
    address: str
    gateway_offset: int
    postgres_offset: int
    services: tuple

    def instances(self, place, service=None):
        """Those that run there, of one service or of all, in the order in which they start."""
        found = []
        for each in self.services:
            if service in (None, each.name):
                more = each.scale_port_offsets if place.profile == "scale" else ()
                found += [Instance(each, number, offset)
                          for number, offset in enumerate((each.port_offset, *more), 1)]
        return found

    def port(self, place, name):
        """Of `gateway`, `postgres` or an instance."""
        offsets = {"gateway": self.gateway_offset, "postgres": self.postgres_offset,
                   **{each.name: each.port_offset for each in self.instances(place)}}
        return place.port + offsets[name]

    def host(self, place, name):
        return f"{self.address}:{self.port(place, name)}"


def read(path=TOPOLOGY):
    """The topology of the file; TopologyError if it contradicts itself."""
    with open(path, "rb") as file:
        try:
            table = tomllib.load(file)
            services = tuple(
                Service(name, row["port_offset"], tuple(row.get("scale_port_offsets", ())),
                        tuple(row["peers"]), tuple(row["callers"]), tuple(row["routes"]),
                        row.get("retention_days", 7))
                for name, row in table["services"].items())
            topology = Topology(table["address"], table["gateway"]["port_offset"],
                                table["postgres"]["port_offset"], services)
        except tomllib.TOMLDecodeError as error:
            raise TopologyError(f"{path}: {error}") from error
        except KeyError as error:
            raise TopologyError(f"{path}: {error} is missing") from error
    _check(topology, path)
    return topology


def _check(topology, path):
    names = {service.name for service in topology.services}
    offsets = [topology.gateway_offset, topology.postgres_offset,
               *(offset for service in topology.services
                 for offset in (service.port_offset, *service.scale_port_offsets))]
    routes = [route for service in topology.services for route in service.routes]
    if len(set(offsets)) < len(offsets):
        raise TopologyError(f"{path}: two of them have one port_offset")
    if len(set(routes)) < len(routes):
        raise TopologyError(f"{path}: two services have one route")
    for route in routes:
        if not re.fullmatch(r"/api(/[\w.-]+)+", route):
            raise TopologyError(f"{path}: route '{route}' is not below /api/")
    for service in topology.services:
        for peer in service.peers:
            if peer not in names or peer == service.name:
                raise TopologyError(f"{path}: {service.name} has the unknown peer '{peer}'")
        for caller in service.callers:
            if caller not in service.peers:
                raise TopologyError(f"{path}: '{caller}' calls {service.name}, which has it not "
                                    "as a peer and cannot read its log")


def check_place(place):
    """TopologyError if the data directory's name cannot stand in every configuration."""
    if not _PLAIN_PATH.fullmatch(str(place.data)):
        raise TopologyError(f"{place.data}: a data directory is named with letters, digits, spaces "
                            "and ./+@=,:~-_ only")
    if len(str(place.run / "supervisor.sock")) > _SOCKET_PATH_MAX:
        raise TopologyError(f"{place.data}: the name is too long for a socket in it; at most "
                            f"{_SOCKET_PATH_MAX - len('/run/supervisor.sock')} characters")


def has_cluster(topology, place):
    """Whether a private cluster is to run: some service has its database in it."""
    return place.profile == "scale" and any(
        service.name not in place.database_urls for service in topology.services)


def generate(topology, place, nginx="/usr/sbin/nginx"):
    """Writes all configurations for this place."""
    (place.run / "nginx").mkdir(mode=0o700, parents=True, exist_ok=True)
    for instance in topology.instances(place):
        place.configuration(instance.name).write_text(instance_toml(topology, place, instance))
    (place.run / "supervisord.conf").write_text(supervisord_conf(topology, place, nginx))
    (place.run / "nginx/nginx.conf").write_text(nginx_conf(topology, place))


def instance_toml(topology, place, instance):
    service = instance.service
    peers = "".join(f"{peer} = {_addresses(topology, place, peer, instance.number)}\n"
                    for peer in service.peers)
    callers = ", ".join(f'"{caller}"' for caller in service.callers)
    return (f'# Made from {TOPOLOGY.name}.\n'
            f'data = "{place.data / service.name}"\n'
            f'trust = "{place.data / "trust"}"\n'
            f'address = "{topology.address}"\n'
            f'port = {topology.port(place, instance.name)}\n'
            f'callers = [{callers}]\n'
            f'retention-days = {service.retention_days}\n'
            f'{_database(topology, place, service.name)}'
            f'\n[peers]\n{peers}')


def _addresses(topology, place, peer, number):
    """All instances of a peer. Each one's neighbours begin with another of them, and go on to the
    next when it does not answer."""
    hosts = [topology.host(place, each.name) for each in topology.instances(place, peer)]
    first = (number - 1) % len(hosts)
    return str(hosts[first:] + hosts[:first]).replace("'", '"')


def _database(topology, place, service):
    """Where the service keeps its data, if not in its own directory."""
    if place.profile != "scale":
        return ""
    if service in place.database_urls:
        return f'database-url = "{place.database_urls[service]}"\n'
    where = (topology.address, topology.port(place, "postgres"), service)
    credentials = place.postgres / "credentials"
    return (f'database-url = "{roles.conninfo(*where, "application", credentials)}"\n'
            f'migrator-url = "{roles.conninfo(*where, "migrator", credentials)}"\n')


def supervisord_conf(topology, place, nginx):
    """A private supervisor: its socket, its records and its process id are in the data directory.

    startsecs = 0: a program that ends is started again at once, each time; with any other value,
    supervisor waits a second longer after every attempt, and gives up at last."""
    root = "user = root\n" if os.geteuid() == 0 else ""
    parts = [f"""\
; Made from {TOPOLOGY.name}. Ask it: supervisorctl -c {place.run / "supervisord.conf"} status
[supervisord]
nodaemon = true
silent = true
{root}logfile = {place.logs / "supervisord.log"}
logfile_maxbytes = 10MB
logfile_backups = 1
pidfile = {place.run / "supervisord.pid"}
directory = {place.data}
identifier = freehold

[unix_http_server]
file = {place.run / "supervisor.sock"}
chmod = 0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{place.run / "supervisor.sock"}
"""]
    if has_cluster(topology, place):
        parts.append(_program(place, "postgres", 0, "INT", [
            str(REPOSITORY / "deploy/postgres/cluster"), "--port",
            str(topology.port(place, "postgres")), str(place.postgres)]))
    # Until there is a server, a service that is started ends: the shop starts them then.
    waits = has_cluster(topology, place)
    instances = topology.instances(place)
    for order, instance in enumerate(instances, 1):
        parts.append(_program(place, instance.name, order, "TERM", [
            str(place.program(instance.service.name)), "--config",
            str(place.configuration(instance.name))], waits))
    parts.append(_program(place, "gateway", len(instances) + 1, "QUIT", [
        nginx, "-p", str(place.run / "nginx"), "-c", str(place.run / "nginx/nginx.conf"),
        "-e", "stderr", "-g", "daemon off;"], waits))
    return "\n".join(parts)


def _program(place, name, order, stop_signal, command, waits=False):
    # Whatever ends supervisor, a kill -9 included, ends its programs too.
    command = ["/usr/bin/setpriv", "--pdeathsig", "TERM", *command]
    return f"""\
[program:{name}]
command = {shlex.join(command)}
priority = {order}
autostart = {str(not waits).lower()}
autorestart = true
startsecs = 0
stopsignal = {stop_signal}
stopwaitsecs = 15
redirect_stderr = true
stdout_logfile = {place.logs / (name + ".log")}
stdout_logfile_maxbytes = 20MB
stdout_logfile_backups = 2
"""


def _upstream(topology, place, service):
    # max_fails=0: each is always tried. nginx would pass over one that has just been restarted, and
    # when the other one is restarted in that moment, it would try none.
    servers = "".join(f"server {topology.host(place, each.name)} max_fails=0; "
                      for each in topology.instances(place, service.name))
    return f"  upstream {service.name} {{ {servers}keepalive 64; }}\n"


def nginx_conf(topology, place):
    """The gateway's template, filled in: each {{name}} in it is one of these."""
    upstreams = "".join(_upstream(topology, place, service) for service in topology.services)
    routes = "".join(f'    "~^{re.escape(route)}(?:[/?]|$)" {service.name};\n'
                     for service in topology.services for route in service.routes)
    values = {
        "address": topology.address,
        "port": str(topology.port(place, "gateway")),
        "run": str(place.run / "nginx"),
        "logs": str(place.logs),
        # As root, nginx gives its workers to another user, who needs no file of ours.
        "user": "user www-data;" if os.geteuid() == 0 else "# Not root: its workers are as we are.",
        "upstreams": upstreams.rstrip("\n"),
        "routes": routes.rstrip("\n"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], NGINX_TEMPLATE.read_text())
