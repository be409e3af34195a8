"""IAM documents. No action and no resource is a wildcard, save lists that cannot be narrowed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Sequence[str], resources: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources), **more}


def assumed_by(service: str, *more_actions: str) -> str:
    return document({"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", *more_actions]})


#: EKS Pod Identity tags the session with the pod's namespace and account.
ASSUMED_BY_PODS = assumed_by("pods.eks.amazonaws.com", "sts:TagSession")


def autoscaler(cluster: str) -> str:
    """Sizes only groups that carry the cluster's tag."""
    owned = {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}}
    looks = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "autoscaling:DescribeTags",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
        "eks:DescribeNodegroup",
    ]
    changes = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    groups = "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*"
    return document(allow(looks, ["*"]), allow(changes, [groups], Condition=owned))


def dns_records(zone_arns: Sequence[str]) -> str:
    """external-dns writes records of these zones."""
    return document(
        allow(["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"], zone_arns),
        allow(["route53:ListHostedZones", "route53:ListTagsForResources"], ["*"]),
    )


def secrets_reader(secret_arns: Sequence[str]) -> str:
    return document(allow(["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"], secret_arns))


#: The exporter asks what its nodes cost.
SPOT_PRICES = document(allow(["ec2:DescribeSpotPriceHistory"], ["*"]))

EXPIRE_IMAGES = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "description": "untagged layers of builds that failed or were replaced",
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": 7,
                },
                "action": {"type": "expire"},
            },
            {
                "rulePriority": 2,
                "description": "enough to go back to",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 50},
                "action": {"type": "expire"},
            },
        ]
    }
)
