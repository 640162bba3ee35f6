"""What names tell: one class for a name, and a reason beside every number."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILES = sorted([*(ROOT / "moss_stream").rglob("*.py"), *(ROOT / "adapters").glob("*.py")])


def is_number(value: ast.expr | None) -> bool:
    """Tell whether an expression is a number, or several."""
    if isinstance(value, ast.Constant):
        return isinstance(value.value, int | float) and not isinstance(value.value, bool)
    if isinstance(value, ast.Tuple):
        return all(map(is_number, value.elts))
    if isinstance(value, ast.BinOp):
        return is_number(value.left) or is_number(value.right)
    return isinstance(value, ast.UnaryOp) and is_number(value.operand)


def constants(tree: ast.Module) -> list[tuple[int, ast.stmt | None]]:
    """Return the numbers that a module names, their lines, and what follows each."""
    found = []
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if not isinstance(node, ast.Assign) or not is_number(node.value):
            continue
        names = [name.id for name in ast.walk(node.targets[0]) if isinstance(name, ast.Name)]
        if all(name.isupper() for name in names):
            found.append((node.lineno, following))
    return found


def test_no_two_public_classes_have_one_name() -> None:
    """Whoever looks for a class finds one."""
    places = defaultdict(list)
    for path in FILES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(path.relative_to(ROOT))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_every_number_has_its_reason_beside_it() -> None:
    """A docstring, or a comment."""
    without = []
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        lines = source.split("\n")
        for line, following in constants(ast.parse(source)):
            is_told = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            is_told = is_told or "#" in lines[line - 1] or lines[line - 2].lstrip().startswith("#")
            if not is_told:
                without.append(f"{path.relative_to(ROOT)}:{line}: {lines[line - 1]}")
    assert without == []
