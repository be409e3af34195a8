#!/usr/bin/env python3
"""Asks OSV whether versions in uv.lock have known vulnerabilities.

Exit code 0: asked about every package, and there is none. 1: there are some, named. 2: this could not be found out.
That a source answers is not enough: it must know vulnerabilities that are known, and answer for every package.

    python scripts/audit.py [--source URL] [--ignore ID]... [LOCK]
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx

OSV = "https://api.osv.dev"
KNOWN = (("h11", "0.14.0"), ("starlette", "0.39.0"), ("python-multipart", "0.0.6"))
"""Versions that are known to be vulnerable: whoever does not know them knows nothing."""
TIMEOUT_S = 60.0

Package = tuple[str, str]


class CannotTell(Exception):
    """Whether there are vulnerabilities could not be found out."""


def locked(lock: Path) -> list[Package]:
    """Name and version of every package from a registry. Raises ``CannotTell`` for one from elsewhere."""
    packages = []
    for package in tomllib.loads(lock.read_text())["package"]:
        source = package["source"]
        if "editable" in source or "virtual" in source:
            continue  # the project itself
        if "registry" not in source:
            raise CannotTell(f"{package['name']} is from no registry: nobody can say which version that is")
        packages.append((package["name"], package["version"]))
    if not packages:
        raise CannotTell(f"{lock} names no package")
    return packages


def vulnerabilities(source: str, packages: list[Package]) -> dict[Package, list[str]]:
    """The ids of known vulnerabilities, by package that has any. Raises ``CannotTell``."""
    asked = [*KNOWN, *packages]
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, version in asked]
    try:
        answer = httpx.post(f"{source}/v1/querybatch", json={"queries": queries}, timeout=TIMEOUT_S)
        answer.raise_for_status()
        results: list[dict[str, Any]] = answer.json()["results"]
        ids = [[found["id"] for found in result.get("vulns") or ()] for result in results]
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CannotTell(f"{source} does not answer as OSV does: {type(error).__name__} {error}") from error
    if len(ids) != len(asked):
        raise CannotTell(f"{source} answers for {len(ids)} of {len(asked)} packages")
    for (name, version), found in zip(asked, ids[: len(KNOWN)], strict=False):
        if not found:
            raise CannotTell(f"{source} does not know that {name} {version} is vulnerable: it cannot be relied upon")
    return {package: found for package, found in zip(packages, ids[len(KNOWN) :], strict=True) if found}


def main() -> int:
    parser = argparse.ArgumentParser(description="Known vulnerabilities of what uv.lock names.")
    parser.add_argument("lock", nargs="?", type=Path, default=Path("uv.lock"))
    parser.add_argument("--source", default=OSV, help="who is asked, by OSV's interface (%(default)s)")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="a vulnerability that is known")
    asked = parser.parse_args()
    try:
        packages = locked(asked.lock)
        found = vulnerabilities(asked.source, packages)
    except (CannotTell, OSError) as error:
        print(f"not audited: {error}", file=sys.stderr)
        return 2
    left = {package: [id for id in ids if id not in asked.ignore] for package, ids in found.items()}
    for (name, version), ids in left.items():
        if ids:
            print(f"{name} {version}: {', '.join(ids)}")
    vulnerable = sum(map(bool, left.values()))
    print(f"{len(packages)} packages, {vulnerable} with known vulnerabilities")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
