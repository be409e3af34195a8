"""``python -m llm_router.demo.standins``: serves all three stand-ins until it is told to stop."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import anthropic, gemini, openai
from .delivery import Pace
from .dialect import dump
from .serve import Place, PortTaken, Server, Site


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    sites = [
        Site(openai.OpenAI([asked.openai_key]), asked.openai_key, asked.openai_port),
        Site(anthropic.Anthropic([asked.anthropic_key]), asked.anthropic_key, asked.anthropic_port),
        Site(gemini.Gemini([asked.gemini_key]), asked.gemini_key, asked.gemini_port),
    ]
    pace = Pace(tokens_per_second=asked.tokens_per_second, first_token_s=asked.first_token_s)
    try:
        server = Server(sites, pace, ready=lambda: _announce(server.places, asked.ready_file, show=asked.print_ready))
    except PortTaken as error:
        print(f"error: cannot listen on {error}. Choose another port, or 0 for any free one.", file=sys.stderr)
        return 1
    try:
        server.serve_all()
    except KeyboardInterrupt:
        return 130
    return 0


def _announce(places: Mapping[str, Place], ready_file: Path | None, *, show: bool) -> None:
    """Says where the stand-ins are, once they answer: on stdout, and in a file that appears whole."""
    text = dump(places).decode()
    if ready_file is not None:
        draft = ready_file.with_name(f"{ready_file.name}.{os.getpid()}")
        draft.write_text(text)
        draft.replace(ready_file)
    if show:
        print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m llm_router.demo.standins",
        description="Stand-ins for OpenAI, Anthropic and Gemini on 127.0.0.1, speaking their true protocols.",
    )
    for module in (openai, anthropic, gemini):
        name = module.__name__.rpartition(".")[2]
        parser.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT", help="0 (default): any free port")
        parser.add_argument(f"--{name}-key", default=module.KEY, metavar="KEY", help=f"default: {module.KEY}")
    parser.add_argument("--tokens-per-second", type=float, default=400.0, metavar="N", help="default: 400; 0: no limit")
    parser.add_argument("--first-token-s", type=float, default=0.15, metavar="S", help="default: 0.15")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="gets the URLs and keys as JSON once all serve")
    parser.add_argument("--print-ready", action="store_true", help="prints the same on stdout, as one line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
