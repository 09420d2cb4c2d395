"""Documentation that repeats the code is held to it. `make docs` runs this module to write the generated tables anew."""

import re
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
from lungline.reasons import Reason
from lungline.settings import PREFIX, Settings, load

_DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
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
    pages = [*_DOCS.rglob("*.md"), *_DOCS.parent.glob("*.md")]
    links = [(page, target) for page in pages for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())]
    assert links
    assert [f"{page.name}: {target}" for page, target in links if not (page.parent / target).exists()] == []


def write() -> None:
    for name, table in _GENERATED.items():
        text, mark, _ = (_DOCS / name).read_text().partition(_MARK)
        (_DOCS / name).write_text(f"{text}{mark}\n{table()}")


if __name__ == "__main__":
    write()
