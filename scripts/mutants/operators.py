"""The small mistakes that are put into a module, one at a time: what somebody could have written instead."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNTOUCHED = {"annotation", "returns", "decorator_list"}
"""Types say nothing when the program runs; a class's keywords and decorators say what kind of thing it is."""


class Mutant(NamedTuple):
    """``owner.field`` (at ``place``, where it is a list) becomes ``new``."""

    line: int
    what: str
    owner: ast.AST
    field: str
    place: int | None
    new: Any

    @contextmanager
    def in_place(self) -> Iterator[None]:
        old = getattr(self.owner, self.field)
        if self.place is None:
            setattr(self.owner, self.field, self.new)
        else:
            setattr(self.owner, self.field, [*old[: self.place], self.new, *old[self.place + 1 :]])
        yield
        setattr(self.owner, self.field, old)


def mutants(node: ast.AST) -> Iterator[Mutant]:
    """Every mutant of what is within, in the order of the text. Docstrings and types stay as they are."""
    for field, value in ast.iter_fields(node):
        if field in UNTOUCHED or (isinstance(node, ast.ClassDef) and field == "keywords"):
            continue
        for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _says_nothing(child):
                continue
            for what, new in (*_expressions(child), *_statements(child)):
                yield Mutant(getattr(child, "lineno", 0), what, node, field, place, new)
            yield from mutants(child)


def _says_nothing(node: ast.AST) -> bool:
    """A docstring, an import, the list of a class's slots, a name for a type."""
    match node:
        case ast.Expr(value=ast.Constant()) | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=[ast.Name(id="__slots__")]):
            return True
        case ast.Assign(value=ast.Subscript(value=ast.Name(id="Literal" | "Callable" | "Sequence"))):
            return True
    return False


def _expressions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for new in _others(node):
        yield f"{ast.unparse(node)} → {ast.unparse(new)}", new


def _others(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for place, op in enumerate(ops):
                for other in COMPARISONS[type(op)]:
                    yield ast.Compare(left, [*ops[:place], other(), *ops[place + 1 :]], comparators)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.BoolOp(op=op, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield operand
        case ast.IfExp(test=test, body=body, orelse=orelse) if _plain(test):
            yield ast.IfExp(_negated(test), body, orelse)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in SWAPPED:
            yield ast.Call(ast.Name(SWAPPED[name], ast.Load()), args, keywords)
        case ast.Constant(value=value):
            yield from _constants(value)


def _constants(value: object) -> Iterator[ast.Constant]:
    match value:
        case bool():
            yield ast.Constant(not value)
        case int() | float():
            yield ast.Constant(value + 1)
        case str():
            yield ast.Constant(f"{value}XX")
        case bytes():
            yield ast.Constant(value + b"XX")


def _statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.AugAssign(target=target, op=op, value=value):
            new = ast.AugAssign(target, ARITHMETIC[type(op)](), value)
            yield f"{ast.unparse(node)} → {ast.unparse(new)}", new
        case ast.If(test=test, body=body, orelse=orelse) if _plain(test):
            yield f"if {ast.unparse(test)} → if not", ast.If(_negated(test), body, orelse)
        case ast.Return(value=value) if value is not None and ast.unparse(value) != "None":
            yield f"{ast.unparse(node)} → return None", ast.Return(ast.Constant(None))
    match node:
        case (
            ast.AugAssign()
            | ast.Raise()
            | ast.Expr()
            | ast.Assign(targets=[ast.Attribute() | ast.Subscript() | ast.Tuple(elts=[ast.Attribute(), *_])])
        ):
            yield f"{ast.unparse(node)} → pass", ast.Pass()


def _plain(test: ast.expr) -> bool:
    """Whether no other operator negates it."""
    return not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)
