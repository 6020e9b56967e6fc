"""The changes that mutation testing makes to a module: comparisons, conditions, return values, operators."""

from __future__ import annotations

import ast
import copy
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
#: What a function returns instead, by the first word of its return annotation. ``{}`` stands for the expression.
RETURNS = {"str": "''", "int": "{} + 1", "float": "{} + 1", "tuple": "()", "list": "[]", "dict": "{{}}", "set": "set()"}
RETURNS |= {"frozenset": "frozenset()", "Sequence": "()", "Mapping": "{{}}", "Iterator": "iter(())"}
NOT_EMPTY = {"''": "'changed'", "()": "(None,)", "[]": "[None]", "{}": "{None: None}"}
#: Fields of syntax nodes that hold types, and the arguments of calls that do.
TYPE_FIELDS = frozenset({"annotation", "returns", "type_params", "decorator_list"})
TYPE_ARGUMENTS = {"isinstance": 1, "issubclass": 1, "cast": 0}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutation:
    """One change of a syntax tree: ``new`` takes the place of an expression of ``parent``."""

    kind: str
    line: int
    before: str
    after: str
    parent: ast.AST
    field: str
    index: int | None
    new: ast.AST

    def __str__(self) -> str:
        return f"{self.line} {self.kind}: {self.before}  ->  {self.after}"

    def apply(self) -> None:
        """Changes the tree."""
        if self.index is None:
            setattr(self.parent, self.field, self.new)
        else:
            getattr(self.parent, self.field)[self.index] = self.new


def mutations(tree: ast.Module) -> list[Mutation]:
    """Every mutation of a module in the order of its lines. A change that two rules make is listed once."""
    distinct = {(id(m.parent), m.field, m.index, m.after): m for m in _walk(tree, None) if m.before != m.after}
    return sorted(distinct.values(), key=lambda mutation: mutation.line)


def _walk(parent: ast.AST, function: Function | None) -> Iterator[Mutation]:
    function = parent if isinstance(parent, Function) else function
    for field, index, node in _children(parent):
        for kind, new in _replacements(parent, field, node, function):
            ast.fix_missing_locations(ast.copy_location(new, node))
            yield Mutation(
                kind, getattr(node, "lineno", 0), ast.unparse(node), ast.unparse(new), parent, field, index, new
            )
        yield from _walk(node, function)


def _children(parent: ast.AST) -> Iterator[tuple[str, int | None, ast.AST]]:
    """The nodes below a node that have an effect at run time."""
    if isinstance(parent, ast.TypeAlias):
        return
    called = parent.func.id if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Name) else ""
    type_checking = isinstance(parent, ast.If) and _is_type_checking(parent)
    for field, value in ast.iter_fields(parent):
        if field in TYPE_FIELDS or (type_checking and field != "orelse"):
            continue
        if isinstance(value, ast.AST):
            yield field, None, value
        elif isinstance(value, list):
            for index, node in enumerate(value):
                if isinstance(node, ast.AST) and not (field == "args" and TYPE_ARGUMENTS.get(called) == index):
                    yield field, index, node


def _is_type_checking(node: ast.If) -> bool:
    return ast.unparse(node.test).endswith("TYPE_CHECKING")


def _replacements(
    parent: ast.AST, field: str, node: ast.AST, function: Function | None
) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Compare(left, operators, comparators):
            for position, operator in enumerate(operators):
                for other in COMPARISONS[type(operator)]:
                    changed = [*operators[:position], other(), *operators[position + 1 :]]
                    yield "comparison", ast.Compare(left, changed, comparators)
        case ast.BoolOp(operator, values):
            yield "operator", ast.BoolOp(ast.And() if isinstance(operator, ast.Or) else ast.Or(), values)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield "operator", copy.copy(operand)
        case ast.BinOp(left, operator, right) if function or not isinstance(operator, ast.BitOr):  # else a type
            yield "operator", ast.BinOp(left, OPERATORS[type(operator)](), right)
        case ast.AugAssign(target, operator, value):
            yield "operator", ast.AugAssign(target, OPERATORS[type(operator)](), value)
    if isinstance(node, ast.expr):
        if field in {"test", "ifs", "guard"}:
            yield "condition", _negated(node)
        if isinstance(parent, ast.Return) and function:
            yield "return", _other_value(node, function)


def _negated(node: ast.expr) -> ast.expr:
    match node:
        case ast.UnaryOp(ast.Not(), operand):
            return copy.copy(operand)
        case ast.Constant(bool(value)):
            return ast.Constant(not value)
        case ast.Compare(left, [operator], comparators) if len(COMPARISONS[type(operator)]) == 1:
            return ast.Compare(left, [COMPARISONS[type(operator)][0]()], comparators)
    return ast.UnaryOp(ast.Not(), node)


def _other_value(node: ast.expr, function: Function) -> ast.expr:
    """What is returned instead of an expression."""
    annotation = ast.unparse(function.returns) if function.returns else ""
    before = ast.unparse(node)
    if annotation == "bool":
        return _negated(node)
    word = "" if "None" in annotation else re.split(r"\W", annotation)[0]
    after = RETURNS.get(word, "None").format(f"({before})")
    if after == before:
        after = NOT_EMPTY.get(before, "None")
    return ast.parse(after, mode="eval").body


def changed_functions(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]]:
    """The functions that differ between two versions of a module. Empty where code outside functions differs."""
    if _without_functions(old) != _without_functions(new):
        return []
    found = []
    pairs = zip(old.co_consts, new.co_consts, strict=True)
    for before, after in ((a, b) for a, b in pairs if isinstance(a, CodeType) and a != b):
        if before.co_flags & inspect.CO_OPTIMIZED:
            found.append((before, after))
        elif inner := changed_functions(before, after):  # the body of a class
            found += inner
        else:
            return []
    return found


def _without_functions(code: CodeType) -> CodeType:
    return code.replace(co_consts=tuple(constant for constant in code.co_consts if not isinstance(constant, CodeType)))


def executable_lines(tree: ast.Module) -> set[int]:
    """The lines that a complete test executes: docstrings and ``TYPE_CHECKING`` blocks are left out."""
    ignored: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and _is_type_checking(node):
            ignored |= {line for child in node.body for line in range(child.lineno, (child.end_lineno or 0) + 1)}
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            ignored |= set(range(node.lineno, (node.end_lineno or 0) + 1))
    pending, lines = [compile(tree, "", "exec", dont_inherit=True)], set[int]()
    while pending:
        code = pending.pop()
        lines |= {line for _, _, line in code.co_lines() if line}
        pending += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return lines - ignored
