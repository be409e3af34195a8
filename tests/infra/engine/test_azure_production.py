"""A production on Azure that is kept from being deleted, and can be changed all the same by who has no data role.

That it goes when it is told to, test_production shows.
"""

from __future__ import annotations

import pytest

from tests.infra.engine.cloud import LOCK
from tests.infra.engine.workspace import Workspace

pytestmark = [pytest.mark.built, pytest.mark.timeout(300)]


def test_it_is_kept_while_its_pools_come_and_go(place: Workspace) -> None:
    place.init("azure", "prod")
    place.up("azure").fine()
    what_must_stay_is_locked_and_what_has_to_change_is_not(place)
    the_pack_is_told_of_pulumis_own_protection(place)

    place.config("azure", "gpu", "false")
    place.up("azure").fine()
    assert [pool.name for pool in place.cloud.of(":AgentPool")] == ["llm-prod-cpu"]
    assert [zone.inputs["zoneName"] for zone in place.cloud.of("dns:Zone")] == ["azure.llm.example.com"]
    assert "azure-gpu-gate-key" not in place.outputs("azure")["gateKeys"]
    kept = place.cloud.one("keyvault:Secret", "azure-gpu")

    place.config("azure", "gpu", "true")
    place.up("azure").fine()
    assert place.cloud.one("keyvault:Secret", "azure-gpu") is kept

    place.config("azure", "protected", "false")
    place.up("azure").fine()
    assert not place.cloud.of(LOCK)


def what_must_stay_is_locked_and_what_has_to_change_is_not(place: Workspace) -> None:
    cloud = place.cloud
    zones, (cluster,) = cloud.of("dns:Zone"), cloud.of(":ManagedCluster")
    (group,) = cloud.of(":ResourceGroup")
    for kept in (*zones, cluster, group):
        assert cloud.locked(kept.id), kept.id
    records = [f"{zone.id}/A/@" for zone in zones]
    pools = [pool.id for pool in cloud.of(":AgentPool")]
    permissions = [given.id for given in cloud.of(":RoleAssignment")]
    for changed in (*records, *pools, *permissions):
        assert cloud.locked(changed) is None, changed


def the_pack_is_told_of_pulumis_own_protection(place: Workspace) -> None:
    place.config("azure", "protected", "false")
    told = place.pulumi("azure", "preview", "--policy-pack", "../policy").refused().output
    assert told.count("is production and can be deleted: set the option protect") == 2, "the cluster and its group"
    place.pulumi("azure", "config", "rm", "protected").fine()
