from pathlib import Path

from typer.testing import CliRunner

from cli.main import app
from lungline.pseudonyms import PseudonymKey


def test_the_pseudonym_is_the_one_of_the_database(home: Path) -> None:
    result = CliRunner().invoke(app, ["key", " 4711 "])

    assert result.exit_code == 0
    expected = PseudonymKey.load_or_create(home / "secrets" / "pseudonym.key").pseudonym("patient", "4711")
    assert result.stdout == expected + "\n"
