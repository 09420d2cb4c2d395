from pathlib import Path

from lungline.pseudonyms import PseudonymKey
from lungline.settings import load
from operations.pseudonyms import patient_key


def test_the_pseudonym_is_the_one_of_the_database(home: Path) -> None:
    expected = PseudonymKey.load_or_create(home / "secrets" / "pseudonym.key").pseudonym("patient", "4711")
    assert patient_key(load(), " 4711 ") == expected
