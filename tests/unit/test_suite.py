"""The rules of the tests themselves, which CONTRIBUTING.md states."""

import ast
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LONGEST_NAME = 59
PRIVATE = re.compile(r"(^|\.)_")
SET_IN_SCRIPT = re.compile(r"\w\.(_\w+)(?: *,[^;=\n]*)? *=(?!=)")  # in code that a test hands to another process
Rule = Callable[[ast.Module], list[str]]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module below tests/ but this one, which quotes what it forbids: its path from there, and its code."""
    for path in sorted({*TESTS.rglob("*.py")} - {Path(__file__).resolve()}):
        yield path.relative_to(TESTS).as_posix(), ast.parse(path.read_text())


def names_of_tests(code: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(code) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def long_names(code: ast.Module) -> list[str]:
    return [name for name in names_of_tests(code) if len(name) > LONGEST_NAME]


def repeated_names(code: ast.Module) -> list[str]:
    """Names that a module defines twice: pytest runs the last alone."""
    return [name for name, count in Counter(names_of_tests(code)).items() if count > 1]


def patched_private_names(code: ast.Module) -> list[str]:
    """Private names that a test sets on what is not its own: production code takes limits, clocks and exits as arguments instead."""
    found: list[str] = []
    for node in ast.walk(code):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "setattr":
            names = [argument.value for argument in node.args[:2] if isinstance(argument, ast.Constant)]
            found += [name for name in names if isinstance(name, str) and PRIVATE.search(name)]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr.startswith("_"):
            found += [node.attr] if not (isinstance(node.value, ast.Name) and node.value.id == "self") else []
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += SET_IN_SCRIPT.findall(node.value)
    return [name for name in found if "__" not in name]


@pytest.mark.parametrize("rule", [long_names, repeated_names, patched_private_names])
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    broken = {path: found for path, code in modules() if (found := rule(code))}

    assert broken == {}


def test_the_rules_find_what_they_forbid() -> None:
    code = ast.parse(f"def test_a(): ...\ndef test_a(): ...\ndef test_{'b' * 55}(): ...")

    assert repeated_names(code) == ["test_a"]
    assert long_names(code) == [f"test_{'b' * 55}"]


@pytest.mark.parametrize(
    "line",
    [
        "monkeypatch.setattr(watch, '_SECONDS', 1)",
        "monkeypatch.setattr('watcher.watch._SECONDS', 1)",
        "child._started = 1",
        "run('from watcher import watch; watch.' + '_SECONDS')\nchild._started += 1",
        "run('watch._SECONDS = 1; main()')",
        "run('watch._SECONDS, watch.MOST = 1, 2')",
    ],
)
def test_setting_a_private_name_is_found(line: str) -> None:
    assert patched_private_names(ast.parse(line))


@pytest.mark.parametrize("line", ["self._limit = 1", "monkeypatch.setattr(watch, 'MOST', 1)", "_CODE = 'limit._replace(most=1)'"])
def test_other_names_may_be_set(line: str) -> None:
    assert patched_private_names(ast.parse(line)) == []
