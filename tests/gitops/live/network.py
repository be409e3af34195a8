"""A network of one's own, in which pods have addresses and hosts have names:

    unshare --user --map-root-user --net --mount python -m tests.gitops.live.network COMMAND…

EndpointSlices take no loopback addresses, and a test takes no addresses of its host: in here all of the pods' range is
this machine, nobody outside is reached, and no right is needed that a user does not have.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from llm_infra.clouds import CLOUDS

GATEWAY = "10.244.255.1"
DOMAIN = "llm.example.com"
WEIGHTS_HOST = f"weights.{DOMAIN}"
ROUTER_HOST = DOMAIN
ACCOUNT_DIR = Path("/run/secrets/kubernetes.io/serviceaccount")
_SET_FLAGS, _SET_ADDRESS, _SET_NETMASK = 0x8914, 0x8916, 0x891C
_UP_LOOPBACK_RUNNING = 0x1 | 0x8 | 0x40


def hosts_of_pools() -> dict[str, str]:
    """The endpoint's host of each cloud's GPU pool, by the pool's name."""
    return {f"{cloud}-gpu": f"{cloud}-gpu.{DOMAIN}" for cloud in CLOUDS}


def _bring_up() -> None:
    """Every address of 10.244.0.0/16 is local: a whole prefix is, on the loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:

        def ask(request: int, name: str, content: bytes) -> None:
            fcntl.ioctl(any_socket, request, struct.pack("16s16s", name.encode(), content))

        def address(dotted: str) -> bytes:
            return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(dotted))

        ask(_SET_FLAGS, "lo", struct.pack("H", _UP_LOOPBACK_RUNNING))
        ask(_SET_ADDRESS, "lo:1", address("10.244.0.1"))
        ask(_SET_NETMASK, "lo:1", address("255.255.0.0"))


def _name_hosts() -> None:
    names = [*hosts_of_pools().values(), ROUTER_HOST, WEIGHTS_HOST]
    with tempfile.NamedTemporaryFile("w", prefix="hosts-") as file:
        file.write(f"127.0.0.1 localhost\n{GATEWAY} {' '.join(names)}\n")
        file.flush()
        os.chmod(file.name, 0o644)
        subprocess.run(["mount", "--bind", file.name, "/etc/hosts"], check=True)


def _make_room_for_accounts() -> None:
    """Each pod mounts its own account's token here."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    ACCOUNT_DIR.mkdir(parents=True)


if __name__ == "__main__":
    _bring_up()
    _name_hosts()
    _make_room_for_accounts()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - what the test says
