"""llama.cpp's own reading of a command line, out of the library that the demo's servers run on. A process of its own:
what it makes of nonsense may be its end.

    python -m tests.charts.llm_server.llama_parser ARGUMENT…        exit code 0 where llama-server would start
"""

from __future__ import annotations

import ctypes
import sys

import xllamacpp.xllamacpp

_PARSE = "_Z19common_params_parseiPPcR13common_params13llama_examplePFviS0_E"
"""``bool common_params_parse(int, char **, common_params &, llama_example, void (*)(int, char **))``"""
_PROGRAMS = range(40)
"""The numbers of llama.cpp's programs change from version to version. Only the server has ``--no-slots``."""


def accepts(arguments: list[str], program: int) -> bool:
    parse = getattr(ctypes.CDLL(xllamacpp.xllamacpp.__file__), _PARSE)
    parse.restype = ctypes.c_bool
    parameters = xllamacpp.CommonParams()
    # What the Python object wraps stands right behind its head.
    place = ctypes.c_void_p(id(parameters) + object.__basicsize__)
    line = (ctypes.c_char_p * (len(arguments) + 2))(b"llama-server", *(each.encode() for each in arguments), None)
    return bool(parse(len(arguments) + 1, line, place, program, None))


def main(arguments: list[str]) -> int:
    server = next((each for each in _PROGRAMS if accepts(["--no-slots"], each)), None)
    if server is None:
        print("this llama.cpp has no program that takes --no-slots", file=sys.stderr)
        return 2
    return 0 if accepts(arguments, server) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
