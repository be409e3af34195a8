"""``llm-router``: one command, a subcommand a job. What a command needs is imported when it runs, so all start fast."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..errors import ConfigError
from . import breakeven, cluster_side, configuration, demo, keys, ledger, prices, routing, simulate

CONFIG_REFUSED = 78
"""sysexits' EX_CONFIG: a supervisor need not try again."""


class _Group(click.Group):
    """Refused configurations end a command with one line per problem, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            ctx.exit(1 if ctx.invoked_subcommand == "check" else CONFIG_REFUSED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llm-router")
def main() -> None:
    """Route each LLM request to the self-hosted cluster or the provider that should answer it.

    LOG_LEVEL sets what the long-running commands log: debug, info (default), warning or error.
    """


for command in (
    routing.serve,
    routing.explain,
    configuration.check,
    configuration.schema,
    configuration.merge,
    configuration.import_,
    keys.keys,
    prices.prices,
    ledger.savings,
    ledger.ledger,
    breakeven.breakeven,
    simulate.simulate,
    cluster_side.sign,
    cluster_side.gate,
    cluster_side.exporter,
    demo.demo,
):
    main.add_command(command)
