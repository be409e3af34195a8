"""A budget over the resource group, and a mail before it is spent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pulumi
from pulumi_azure_native import consumption

from ..component import Component
from ..settings.model import Budget


@dataclass(frozen=True, kw_only=True)
class AzureBudgetArgs:
    """``month``: the one in which the budget begins."""

    budget: Budget
    scope: pulumi.Input[str]
    month: date


class AzureBudget(Component):
    def __init__(self, name: str, args: AzureBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        thresholds = [("Actual", 50), ("Actual", 80), ("Actual", 100), ("Forecasted", 100)]
        budget = consumption.Budget(
            name,
            scope=args.scope,
            category="Cost",
            amount=args.budget.usd_per_month,
            time_grain="Monthly",
            time_period=consumption.BudgetTimePeriodArgs(start_date=args.month.strftime("%Y-%m-01T00:00:00Z")),
            notifications={
                f"{kind.lower()}-{percent}": consumption.NotificationArgs(
                    enabled=True,
                    operator="GreaterThan",
                    threshold=percent,
                    threshold_type=kind,
                    contact_emails=[args.budget.email],
                )
                for kind, percent in thresholds
            },
            # It began when it was made; later runs are in later months.
            opts=self.own(ignore_changes=["timePeriod"]),
        )
        self.done(name=budget.name)
