"""`lungline key`: under which pseudonym a patient stands in the database, for those who hold the key."""

from typing import Annotated

import typer


def key(patient_id: Annotated[str, typer.Argument(help="The patient id as the PACS writes it.")]) -> None:
    """Print the pseudonym that a patient has in the database."""
    if not patient_id.strip():
        raise typer.BadParameter("PATIENT_ID must not be empty")
    from lungline.settings import load
    from operations.pseudonyms import patient_key

    print(patient_key(load(), patient_id))
