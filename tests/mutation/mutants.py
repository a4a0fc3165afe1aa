"""Makes the mutants of Python and SQL files: copies with one small mistake each."""

import ast
import re
from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

SHORT = 100
"""Characters of code that are printed for a mutant."""


class Mutant(NamedTuple):
    """One file with one mistake in it."""

    path: str
    line: int
    before: str
    after: str
    text: str
    """The whole file."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {_short(self.before)}  ->  {_short(self.after)}"


_SQL = (
    (r"IS DISTINCT FROM", "IS NOT DISTINCT FROM"),
    (r"\bNOT EXISTS\b|\bEXISTS\b", ""),
    (r"\bNOT (?!EXISTS|NULL|DISTINCT)", ""),
    (r"\bAND\b", "OR"),
    (r"\bOR\b(?! REPLACE)", "AND"),
    (r"(?<= )>=(?= )|(?<=^    )>=", ">"),
    (r" >(?= )", " >="),
    (r" <=(?= )", " <"),
    (r" <(?= )", " <="),
    (r"\bmax\(", "min("),
    (r"\bmin\(", "max("),
    (r"\bgreatest\(", "least("),
    (r"\barg_max\(", "arg_min("),
    (r"\barg_min\(", "arg_max("),
    (r"\blower\(", "("),
    (r"\bSEMI JOIN\b", "ANTI JOIN"),
    (r"\bANTI JOIN\b", "SEMI JOIN"),
    (r"\bLEFT JOIN\b", "INNER JOIN"),
    (r"\bFULL JOIN\b", "LEFT JOIN"),
    (r"\bDISTINCT (?!FROM)", ""),
    (r"'\w+'", "'other'"),
    (r"''", "'other'"),
    (r"\b\d+\b", "77"),
    (r"[\w.]+(?:\([^()]*\))? (?:=|<>|>=|<=|<|>) (?:'[^']*'|[\w.]+)(?:\([^()]*\))?", "TRUE"),
    (r"[\w.]+(?:\([^()]*\))? (?:NOT )?IN \([^()]*\)+", "TRUE"),
    (r"[\w.]+ IS NOT NULL", "TRUE"),
    (r"[\w.]+ IS NULL", "FALSE"),
)
"""A pattern and its replacement. Replacing a comparison by TRUE removes a conjunct."""

_PYTHON: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_CALLS = {"max": "min", "min": "max", "any": "all", "all": "any", "sorted": "list"}


def mutants(path: str, text: str) -> Iterator[Mutant]:
    """Yield every mutant of a file."""
    of = _of_sql if path.endswith(".sql") else _of_python
    for start, end, after in of(text):
        line = text.count("\n", 0, start) + 1
        if text[start:end] != after:
            yield Mutant(path, line, text[start:end], after, text[:start] + after + text[end:])


def _of_sql(text: str) -> Iterator[tuple[int, int, str]]:
    code = re.sub(r"--.*", lambda found: " " * len(found[0]), text)
    for pattern, after in _SQL:
        for found in re.finditer(pattern, code):
            swapped = {"EXISTS": "NOT EXISTS", "NOT EXISTS": "EXISTS"}.get(found[0], after)
            yield *found.span(), swapped
    for found in re.finditer(r"USING \(([^()]*)\)", code):
        for name in re.finditer(r"\w+,\s*|,\s*\w+(?=\s*\))", code[slice(*found.span(1))]):
            yield found.start(1) + name.start(), found.start(1) + name.end(), ""


def _of_python(text: str) -> Iterator[tuple[int, int, str]]:
    data = text.encode()
    lines = [0]
    for line in data.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    for node in _reached(ast.parse(text)):
        for place, after in _variants(node):
            start = lines[place.lineno - 1] + place.col_offset
            end = lines[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)
            yield len(data[:start].decode()), len(data[:end].decode()), after


def _reached(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    """Yield the nodes that can change behaviour.

    Skip annotations, docstrings, error and message texts, and class keywords such as `frozen`.
    """
    for name, field in ast.iter_fields(node):
        if name in {"annotation", "returns"} or isinstance(node, ast.Raise | ast.JoinedStr):
            continue
        if isinstance(node, ast.ClassDef) and name == "keywords":
            continue
        for child in field if isinstance(field, list) else [field]:
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                continue
            if isinstance(child, ast.expr | ast.stmt):
                yield child
            if isinstance(child, ast.AST):
                yield from _reached(child)


def _variants(node: ast.expr | ast.stmt) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    """Yield (node to replace, new source) for every mistake at a node."""
    if isinstance(node, ast.stmt):
        yield from _of_statement(node)
    else:
        yield from _of_expression(node)
    if isinstance(node, ast.If | ast.While | ast.IfExp) and not isinstance(
        node.test, ast.Compare | ast.BoolOp | ast.UnaryOp
    ):
        yield node.test, f"(not ({ast.unparse(node.test)}))"


def _of_statement(node: ast.stmt) -> Iterator[tuple[ast.stmt, str]]:
    match node:
        case ast.Return(value=ast.Constant(value=False)):
            pass  # False and None behave alike
        case ast.Return(value=ast.expr()):
            yield node, "return None"
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield node, "pass"
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield node, "pass"
        case _:
            pass


def _of_expression(node: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    match node:
        case ast.Compare(ops=[op]):
            yield node, f"({_with(node, ops=[_other(op)])})"
        case ast.BoolOp():
            yield node, f"({_with(node, op=_other(node.op))})"
            yield from ((value, str(isinstance(node.op, ast.And))) for value in node.values)
        case ast.BinOp() if type(node.op) in _PYTHON:
            yield node, f"({_with(node, op=_other(node.op))})"
        case ast.UnaryOp(op=ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.Constant(value=bool() | int() | float() | str() | bytes() as value):
            yield node, repr(_unlike(value))
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            yield node.func, _CALLS[name]
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            yield from ((only, "True") for each in node.generators for only in each.ifs)
        case _:
            pass


def _other(op: ast.AST) -> ast.AST:
    return _PYTHON[type(op)]()


def _with(node: ast.expr, **fields: object) -> str:
    changed = copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return ast.unparse(changed)


def _unlike(value: bool | float | str | bytes) -> object:
    match value:
        case bool():
            return not value
        case str():
            return "" if value else "other"
        case bytes():
            return b"" if value else b"other"
        case _:
            return value + 1


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= SHORT else f"{words[:SHORT]}…"
