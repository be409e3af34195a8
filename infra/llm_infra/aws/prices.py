"""The spot price of the moment, asked by the account that the program runs with. List prices are the table's."""

from __future__ import annotations

from datetime import date

from pulumi_aws import ec2

from ..live import LiveError, price
from ..settings.model import NodePool, Platform
from ..tables.prices import NodePrice

SOURCE = "aws DescribeSpotPriceHistory"


def ask(platform: Platform, pool: NodePool) -> NodePrice | None:
    if not pool.spot:
        return None
    linux = ec2.GetSpotPriceFilterArgs(name="product-description", values=["Linux/UNIX"])
    try:
        answer = ec2.get_spot_price(instance_type=pool.machine_types[0], filters=[linux])
    except Exception as error:  # The engine's errors have no type of their own.
        raise LiveError(f"AWS does not tell spot prices ({error})") from error
    return price(float(answer.spot_price), SOURCE, date.today())
