"""Artifact Registry: the project's own images."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import artifactregistry

from ..component import Component
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class GcpRegistryArgs:
    project: str
    region: str
    cluster: str
    reader: pulumi.Input[str]
    tags: Tags


class GcpRegistry(Component):
    url: pulumi.Output[str]

    def __init__(self, name: str, args: GcpRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        repository = artifactregistry.Repository(
            name,
            repository_id=args.cluster,
            location=args.region,
            format="DOCKER",
            docker_config=artifactregistry.RepositoryDockerConfigArgs(immutable_tags=True),
            cleanup_policies=[
                artifactregistry.RepositoryCleanupPolicyArgs(
                    id="untagged",
                    action="DELETE",
                    condition=artifactregistry.RepositoryCleanupPolicyConditionArgs(
                        tag_state="UNTAGGED", older_than="604800s"
                    ),
                ),
                artifactregistry.RepositoryCleanupPolicyArgs(
                    id="enough-to-go-back-to",
                    action="KEEP",
                    most_recent_versions=artifactregistry.RepositoryCleanupPolicyMostRecentVersionsArgs(keep_count=50),
                ),
            ],
            labels=args.tags.labels(),
            opts=self.own(),
        )
        artifactregistry.RepositoryIamMember(
            f"{name}-nodes",
            location=args.region,
            repository=repository.name,
            role="roles/artifactregistry.reader",
            member=args.reader,
            opts=self.own(),
        )
        host = f"{args.region}-docker.pkg.dev/{args.project}"
        self.url = repository.repository_id.apply(lambda repository_id: f"{host}/{repository_id}")
        self.done(url=self.url)
