#!/usr/bin/env python3
"""Prints the software bill of materials that goes into the wheel: CycloneDX, what uv.lock says that the package and its
extras need at run time. The same for the same lock: without a time, and without the addresses of files, whose sums the
lock has.

    python scripts/sbom.py [UV]
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any


def exported(uv: str) -> dict[str, Any]:
    command = [uv, "export", "--quiet", "--frozen", "--no-default-groups", "--all-extras", "--format", "cyclonedx1.5"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def settled(bill: dict[str, Any]) -> dict[str, Any]:
    """Without what differs from one export to the next, or from one registry to another."""
    del bill["serialNumber"], bill["metadata"]["timestamp"], bill["metadata"]["tools"]
    for component in bill["components"]:
        component.pop("externalReferences", None)
    return bill


if __name__ == "__main__":
    json.dump(settled(exported(sys.argv[1] if len(sys.argv) > 1 else "uv")), sys.stdout, indent=1)
    print()
