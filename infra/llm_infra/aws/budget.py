"""A budget over the stack's tag, and a mail before it is spent."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_aws import budgets

from ..component import Component
from ..settings.model import Budget
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class AwsBudgetArgs:
    budget: Budget
    tags: Tags


class AwsBudget(Component):
    def __init__(self, name: str, args: AwsBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        thresholds = [("ACTUAL", 50), ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
        budget = budgets.Budget(
            name,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{args.budget.usd_per_month:.2f}",
            limit_unit="USD",
            # The tag has to be activated as a cost allocation tag, once per account.
            cost_filters=[
                budgets.BudgetCostFilterArgs(name="TagKeyValue", values=[f"user:cluster${args.tags.cluster}"])
            ],
            notifications=[
                budgets.BudgetNotificationArgs(
                    comparison_operator="GREATER_THAN",
                    notification_type=kind,
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    subscriber_email_addresses=[args.budget.email],
                )
                for kind, percent in thresholds
            ],
            tags=args.tags.all(),
            opts=self.own(),
        )
        self.done(name=budget.name)
