"""``llm-router import``: a configuration of another dialect as the text of a native one.

References stay references: the text is written without asking what they stand for, and the secrets that they name need
not be there. What is written is read back and compared, so that both files are the same configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import Problem
from .check import one_per_path
from .dialects import DIALECTS, Translation, recognise, translate
from .findings import Finding, quote
from .fragments import SCHEMA_FILE
from .load import judge, references
from .refused import refused
from .yaml_nodes import Document, file_content, read
from .yaml_writer import dump

AUTO = "auto"
NAMES = (AUTO, *(dialect.name for dialect in DIALECTS))


@dataclass(frozen=True, slots=True)
class Imported:
    text: str
    warnings: tuple[Problem, ...]


def import_file(
    path: str,
    env: Mapping[str, str],
    *,
    dialect: str = AUTO,
    out: str | None = None,
    allow_literal_secrets: bool = False,
) -> Imported:
    """The native text for ``path``; ``out`` is the file that it is meant for, from whose directory relative paths in it
    will count.

    ``dialect`` is one of ``NAMES``. Raises ``ConfigError`` with all problems: what ``load`` would refuse but for
    references without a value, and secrets that stand in the file itself.
    """
    document = read(file_content(path), path)
    _check_dialect(document, dialect)
    resolver = references(path, env)
    translation = translate(document, resolver)
    judged = judge(translation, resolver)
    problems = [*judged.problems, *judged.refusals]
    if not allow_literal_secrets:
        message = (
            "a secret stands in the file: write a reference such as ${NAME}, or allow it (--allow-literal-secrets)"
        )
        problems += [Finding(where, message) for where in judged.literals]
    if judged.config is None:
        problems += judged.awaited
    if judged.config is None or problems:
        raise refused(document, one_per_path(problems))
    text = _text(translation)
    target = references(out or path, env)
    if judge(translate(read(text), target), target).config != judged.config:
        message = (
            f"relative paths count from the file's directory: write the result into {os.path.dirname(path) or '.'}"
        )
        raise refused(document, [Finding((), message)])
    return Imported(text, tuple(document.problem(*finding) for finding in judged.warnings))


def _check_dialect(document: Document, asked: str) -> None:
    found = recognise(document)
    if found is None:
        starts = ", ".join(key for dialect in DIALECTS for key in dialect.keys if asked in (AUTO, dialect.name))
        message = f"nothing to convert: none of the keys {starts} stands at its top"
        raise refused(document, [Finding((), message)])
    if asked not in (AUTO, found.name):
        message = f"this is {found.whose} configuration, not one of {asked}: leave --from out"
        raise refused(document, [Finding((), message)])


def _text(translation: Translation) -> str:
    whose = translation.dialect.whose if translation.dialect is not None else ""
    name = quote(os.path.basename(translation.document.file))
    origin = f"# Converted by llm-router import from {whose} configuration {name}."
    return f"# yaml-language-server: $schema={SCHEMA_FILE}\n{origin}\n{dump(translation.data)}"
