"""The rules of the tests themselves, which CONTRIBUTING.md states."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
LONGEST_NAME = 59
Rule = Callable[[ast.Module], list[str]]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Each module below tests/: its path from there, and its code."""
    for path in sorted(TESTS.rglob("*.py")):
        yield path.relative_to(TESTS).as_posix(), ast.parse(path.read_text())


def names_of_tests(code: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(code) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def long_names(code: ast.Module) -> list[str]:
    return [name for name in names_of_tests(code) if len(name) > LONGEST_NAME]


def repeated_names(code: ast.Module) -> list[str]:
    """Names that a module defines twice: pytest runs the last alone."""
    return [name for name, count in Counter(names_of_tests(code)).items() if count > 1]


@pytest.mark.parametrize("rule", [long_names, repeated_names])
def test_every_module_keeps_the_rule(rule: Rule) -> None:
    broken = {path: found for path, code in modules() if (found := rule(code))}

    assert broken == {}


def test_the_rules_find_what_they_forbid() -> None:
    code = ast.parse(f"def test_a(): ...\ndef test_a(): ...\ndef test_{'b' * 55}(): ...")

    assert repeated_names(code) == ["test_a"]
    assert long_names(code) == [f"test_{'b' * 55}"]
