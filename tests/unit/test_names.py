"""Names in the code: a class name stands once in the tree, and words that say nothing are not names."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = (
    "lungline",
    "imaging",
    "db",
    "jobs",
    "models",
    "training",
    "workers",
    "watcher",
    "pacs",
    "operations",
    "web",
    "supervisor",
    "cli",
    "tests",
)

VAGUE = {
    *("told", "one", "again", "looks", "bells", "hands", "brought", "standing", "chance", "lessons", "strangers", "readings"),
    *("left_out", "uses", "enough", "trial", "bury", "settle", "settled"),
}

# Columns of the database and keys of files keep their names, wherever their values go.
COLUMNS = {"looks", "uses", "left_out"}
OF_COLUMNS = {
    "db/gates.py",
    "db/truncated.py",
    "models/records.py",
    "training/gate/rule.py",
    "training/retraining/run.py",
    "training/rulings.py",
    "workers/retraining.py",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def names_in(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each name that a module gives, with its line."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno


def test_class_names_are_unique() -> None:
    homes = defaultdict(list)
    for path, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(path)
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_vague_words_are_no_names() -> None:
    found = []
    for path, tree in modules():
        allowed = COLUMNS if path in OF_COLUMNS else set()
        found += [(path, line, name) for name, line in names_in(tree) if name.strip("_").lower() in VAGUE - allowed]
        found += [(path, 0, part) for part in Path(path).with_suffix("").parts if part.removeprefix("test_") in VAGUE]
    assert found == []
