"""The rules as a pack of Pulumi's policies."""

from __future__ import annotations

from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from .rules import RULES, Rule, protected, shown_secrets


def pack() -> PolicyPack:
    """Starts to serve the engine: to be called once, by the pack's own program."""
    return PolicyPack("llm-platform", policies=policies(), enforcement_level=EnforcementLevel.MANDATORY)


def policies() -> list[Policy]:
    made: list[Policy] = [
        ResourceValidationPolicy(name=name, description=text, validate=_judging(rule))
        for name, (text, rule) in RULES.items()
    ]
    made.append(
        ResourceValidationPolicy(
            name="protected", description="Production cannot be deleted by accident.", validate=_judge_protection
        )
    )
    secrets = "Generated keys are in nothing but what is made to hold secrets."
    made.append(StackValidationPolicy(name="no-shown-secrets", description=secrets, validate=_judge_stack))
    return made


def _judging(rule: Rule):  # type: ignore[no-untyped-def]  # pulumi_policy's own alias says Optional[Awaitable], untyped
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for message in rule(args.resource_type, args.props):
            report(f"{args.name} {message}", None)

    return validate


def _judge_protection(args: ResourceValidationArgs, report: ReportViolation) -> None:
    for message in protected(args.resource_type, args.props, by_pulumi=args.opts.protect):
        report(f"{args.name} {message}", None)


def _judge_stack(args: StackValidationArgs, report: ReportViolation) -> None:
    resources = [(resource.resource_type, resource.urn, resource.props) for resource in args.resources]
    for urn, message in shown_secrets(resources):
        report(message, urn)
