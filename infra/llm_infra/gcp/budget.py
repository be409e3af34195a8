"""A budget over the project, and a mail before it is spent."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_gcp import billing, monitoring

from ..component import Component
from ..settings.model import Budget
from ..tags import Tags


@dataclass(frozen=True, kw_only=True)
class GcpBudgetArgs:
    budget: Budget
    billing_account: str
    project_number: str
    tags: Tags


class GcpBudget(Component):
    def __init__(self, name: str, args: GcpBudgetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        channel = monitoring.NotificationChannel(
            name,
            type="email",
            display_name=f"budget of {args.tags.cluster}",
            labels={"email_address": args.budget.email},
            user_labels=args.tags.labels(),
            opts=self.own(),
        )
        thresholds = [(0.5, "CURRENT_SPEND"), (0.8, "CURRENT_SPEND"), (1.0, "CURRENT_SPEND"), (1.0, "FORECASTED_SPEND")]
        budget = billing.Budget(
            name,
            billing_account=args.billing_account,
            display_name=args.tags.cluster,
            budget_filter=billing.BudgetBudgetFilterArgs(projects=[f"projects/{args.project_number}"]),
            amount=billing.BudgetAmountArgs(
                specified_amount=billing.BudgetAmountSpecifiedAmountArgs(
                    currency_code="USD", units=str(round(args.budget.usd_per_month))
                )
            ),
            threshold_rules=[
                billing.BudgetThresholdRuleArgs(threshold_percent=part, spend_basis=basis) for part, basis in thresholds
            ],
            all_updates_rule=billing.BudgetAllUpdatesRuleArgs(monitoring_notification_channels=[channel.id]),
            opts=self.own(),
        )
        self.done(name=budget.name)
