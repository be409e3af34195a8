from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from tests.infra.terraform.provider import TerraformProvider, running

#: Where Terraform looks for providers by itself, and where images keep mirrors of them.
MIRRORS = (Path.home() / ".terraform.d" / "plugins", Path("/usr/share/terraform/plugins"), *Path("/opt").glob("*"))
BINARY = "registry.terraform.io/hashicorp/aws/*/linux_*/terraform-provider-aws_*"
SERVICES = (
    *("autoscaling", "budgets", "ec2", "ecr", "eks", "iam", "kms", "logs"),
    *("route53", "secretsmanager", "sts"),
)


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TerraformProvider]:
    """HashiCorp's provider of AWS, which takes moto for AWS. Skips where the machine has none: no registry has it."""
    found = sorted(path for mirror in MIRRORS for path in mirror.glob(BINARY))
    if not found:
        pytest.skip("no terraform-provider-aws in a mirror of Terraform's plugins (~/.terraform.d/plugins)")
    logging.getLogger("werkzeug").disabled = True
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        url = "http://{}:{}".format(*server.get_host_and_port())
        with running(found[-1]) as provider:
            provider.configure(
                {
                    "region": "us-west-2",
                    "accessKey": "test",
                    "secretKey": "test",
                    "maxRetries": 1,
                    "skipCredentialsValidation": True,
                    "skipRequestingAccountId": True,
                    "skipMetadataApiCheck": "true",
                    "endpoints": [dict.fromkeys(SERVICES, url)],
                }
            )
            yield provider
        server.stop()
