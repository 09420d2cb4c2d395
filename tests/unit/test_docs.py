"""Documentation that repeats the code is held to it. `make docs` runs this module to write the generated tables anew."""

import re
import subprocess
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Le
from pydantic.fields import FieldInfo
from sqlalchemy import inspect
from typer.main import get_command

from cli.main import app
from db.migrate import open_database
from db.views import VIEWS
from lungline import RESEARCH_USE
from lungline.reasons import Reason
from lungline.settings import PREFIX, Settings, load

_ROOT: Final = Path(__file__).resolve().parents[2]
_DOCS: Final = _ROOT / "docs"
_PAGES: Final = [*sorted(_DOCS.rglob("*.md")), *sorted(_ROOT.glob("*.md"))]
_OF_TODAY: Final = [page for page in _PAGES if page.parent.name != "decisions" and page.name != "CHANGELOG.md"]
_MARK: Final = "<!-- Below this line: written by `make docs`. -->\n"


def settings_table() -> str:
    rows = ["| Setting | Default | Values | Meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        rows.append(f"| `{PREFIX}{name.upper()}` | {_default(field)} | {_values(field)} | {field.description} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "`~/lungline`"
    return "" if field.default in (Path(), "", None) else f"`{field.default}`"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    bounds = [str(limit.ge if isinstance(limit, Ge) else limit.le) for limit in field.metadata if isinstance(limit, Ge | Le)]
    return " to ".join(bounds)


def reasons_table() -> str:
    rows = ["| Code | What it means | What to do |", "|---|---|---|"]
    rows += [f"| `{reason.value}` | {reason.sentence} | {reason.action} |" for reason in Reason]
    return "\n".join(rows) + "\n"


_GENERATED: Final = {"settings.md": settings_table, "reason-codes.md": reasons_table}


@pytest.mark.parametrize("page", _GENERATED)
def test_a_generated_table_says_what_the_code_says(page: str) -> None:
    _, found, table = (_DOCS / page).read_text().partition(_MARK)
    assert found
    assert table.strip() == _GENERATED[page]().strip(), f"docs/{page} is out of date: run `make docs`"


def test_the_contract_lists_each_view_with_its_columns() -> None:
    engine = open_database(load())
    made = {view: [column["name"] for column in inspect(engine).get_columns(view)] for view in VIEWS}
    engine.dispose()
    assert _views_of_contract(made) == made


def _views_of_contract(made: dict[str, list[str]]) -> dict[str, list[str]]:
    """View -> the names in the first column of the table below its heading; `All of VIEW` stands for the columns of another."""
    views = {}
    for section in re.split(r"^### ", (_DOCS / "contract.md").read_text(), flags=re.MULTILINE)[1:]:
        if heading := re.match(r"`(\w+)`\n", section):
            columns = re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)
            if same := re.search(r"All columns of `(\w+)`", section):
                columns = made[same[1]] + columns
            views[heading[1]] = columns
    return views


def test_the_contract_lists_every_command() -> None:
    listed = set(re.findall(r"^\| `lungline ([a-z ]+?)(?: [A-Z\[-].*?)?` \|", (_DOCS / "contract.md").read_text(), flags=re.MULTILINE))
    assert listed == set(_commands(get_command(app)))


def _commands(group: Any, above: str = "") -> list[str]:
    found: list[str] = []
    for name, command in group.commands.items():
        found += _commands(command, f"{above}{name} ") if hasattr(command, "commands") else [above + name]
    return found


def test_links_between_pages_lead_somewhere() -> None:
    links = [(page, target) for page in _PAGES for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert links
    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def test_files_that_pages_name_exist() -> None:
    """`db/jobs.py` by its path in the clone, `jobs.py` after such a path by its name; decisions and the changelog tell of the past."""
    files = subprocess.run(["git", "ls-files"], cwd=_ROOT, capture_output=True, text=True, check=True, timeout=300).stdout.split()
    names, folders = {Path(file).name for file in files}, {str(folder) for file in files for folder in Path(file).parents}
    known = {*files, *names, *folders, *(f"{folder.partition('/')[2]}" for folder in folders)}
    cited = [
        (page, name)
        for page in _OF_TODAY
        for name in re.findall(r"`((?:[\w.]+/)*(?:\w+\.(?:py|sh|toml|yaml)|test_\w+|[\w.]+/))`", page.read_text())
    ]
    assert cited
    assert [f"{page.name}: {name}" for page, name in cited if _in_the_clone(name) and name.rstrip("/") not in known] == []


def _in_the_clone(name: str) -> bool:
    return name.endswith((".py", ".sh")) or name.partition("/")[0] in {path.name for path in _ROOT.iterdir()}


def test_commands_that_pages_name_exist() -> None:
    commands = _commands(get_command(app))
    groups = {command.partition(" ")[0] for command in commands}
    cited = [
        (page, words)
        for page in _OF_TODAY
        for words in re.findall(r"(?:`|\bbin/|^|exec \S+ )lungline ([a-z]+(?: [a-z]+)?)", page.read_text(), re.MULTILINE)
    ]
    assert cited
    unknown = [(page, words) for page, words in cited if words.partition(" ")[0] not in {*commands, *groups}]
    unknown += [
        (page, words) for page, words in cited if words.partition(" ")[0] in groups - {*commands} and " " in words and words not in commands
    ]
    assert [f"{page.name}: lungline {words}" for page, words in unknown] == []
    targets = re.findall(r"^([a-z]+):", (_ROOT / "Makefile").read_text(), re.MULTILINE)
    made = [(page, target) for page in _OF_TODAY for target in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)]
    assert [f"{page.name}: make {target}" for page, target in made if target not in targets] == []


def test_settings_that_pages_name_exist() -> None:
    settings = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | {"LUNGLINE_NAME"}
    cited = [(page, name) for page in _OF_TODAY for name in re.findall(r"\bLUNGLINE_(?!TEST_)[A-Z_]+\b", page.read_text())]
    assert [f"{page.name}: {name}" for page, name in cited if name not in settings] == []


def test_prose_has_one_sentence_a_line() -> None:
    """So that a change shows the sentence that it changes. Tables and blocks of code are as they are."""
    for page in _PAGES:
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        lines = [line for line in prose.splitlines() if not line.startswith("|") and RESEARCH_USE not in line]
        assert [line for line in lines if re.search(r"[a-z`)\]][.?!] (?=[A-Z`\[])", line)] == [], page.name


def test_the_readme_fits_two_screens() -> None:
    assert len((_ROOT / "README.md").read_text().splitlines()) <= 100


def write() -> None:
    for name, table in _GENERATED.items():
        text, mark, _ = (_DOCS / name).read_text().partition(_MARK)
        (_DOCS / name).write_text(f"{text}{mark}\n{table()}")


if __name__ == "__main__":
    write()
