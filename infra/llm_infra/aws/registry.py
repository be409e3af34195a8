"""ECR: the project's own images. A tag that was pushed stays what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr

from ..component import Component
from ..tags import Tags
from . import policies


@dataclass(frozen=True, kw_only=True)
class AwsRegistryArgs:
    """``keep_images``: a repository that is not empty is not deleted."""

    cluster: str
    images: Sequence[str]
    keep_images: bool
    tags: Tags


class AwsRegistry(Component):
    #: What stands before an image's name.
    url: pulumi.Output[str]

    def __init__(self, name: str, args: AwsRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        repositories = [self._repository(name, image, args) for image in args.images]
        self.url = repositories[0].repository_url.apply(lambda url: url.rsplit("/", 1)[0])
        self.done(url=self.url)

    def _repository(self, name: str, image: str, args: AwsRegistryArgs) -> ecr.Repository:
        repository = ecr.Repository(
            f"{name}-{image}",
            name=f"{args.cluster}/{image}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS")],
            force_delete=not args.keep_images,
            tags=args.tags.all(),
            opts=self.own(),
        )
        ecr.LifecyclePolicy(
            f"{name}-{image}",
            repository=repository.name,
            policy=policies.EXPIRE_IMAGES,
            opts=pulumi.ResourceOptions(parent=repository),
        )
        return repository
