"""What holds for all tests: how long examples may take, which files share a process, what is no garbage."""

from __future__ import annotations

import gc
import resource

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# How long an example takes says nothing on a machine that others use too.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

#: Files that need the same heavy thing, each group in one process: it is started once and ends with the last of them.
#: What takes long by itself stands alone, beside the others.
TOGETHER = (
    (
        "tests/contract/test_stacks_contract.py",
        "tests/contract/test_synced_contract.py",
        "tests/infra/policy/test_rules.py",
        "tests/infra/router/test_stack.py",
        "tests/infra/test_gate_keys.py",
        "tests/infra/test_gpu_pools.py",
        "tests/infra/test_stacks.py",
    ),
    ("tests/e2e/test_dashboard.py", "tests/e2e/test_demo.py"),
    (
        "tests/gitops/test_autoscaling.py",
        "tests/gitops/test_charts.py",
        "tests/gitops/test_keda.py",
        "tests/gitops/test_overlays.py",
        "tests/gitops/test_validate_gpu.py",
    ),
    (
        "tests/infra/engine/test_clouds_script.py",
        "tests/infra/engine/test_life.py",
        "tests/infra/engine/test_live_prices.py",
        "tests/infra/engine/test_router_stack.py",
    ),
    (
        "tests/infra/engine/test_azure_production.py",
        "tests/infra/engine/test_failures.py",
        "tests/infra/engine/test_policies.py",
        "tests/infra/engine/test_production.py",
        "tests/infra/engine/test_warm_python.py",
    ),
)
_FIRST_OF = {file: group[0] for group in TOGETHER for file in group}

# Debian gives a program 1024 unless it asks for more: a thousand callers at once have an end each in this process.
_DESCRIPTORS = 8192
_usual, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
if 0 <= _usual < _DESCRIPTORS:
    allowed = _DESCRIPTORS if _most == resource.RLIM_INFINITY else min(_DESCRIPTORS, _most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, _most))

# A third of the time it takes to collect the tests: all that is imported then stays.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


class Groups(LoadFileScheduling):  # type: ignore[misc]
    """A file stays in one process, and so does a group of files."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return _FIRST_OF.get(file, file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups | None:
    return Groups(config, log) if config.getoption("dist") == "loadfile" else None
