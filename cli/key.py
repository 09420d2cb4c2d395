"""`lungline key`: under which pseudonym a patient stands in the database, for those who hold the key."""

import typer


def key(patient_id: str = typer.Argument(help="The patient id as the PACS writes it.")) -> None:
    """Print the pseudonym that a patient has in the database."""
    if not patient_id.strip():
        raise typer.BadParameter("PATIENT_ID must not be empty")
    from lungline import settings
    from lungline.pseudonyms import PseudonymKey

    print(PseudonymKey.load_or_create(settings.load().key_file).pseudonym("patient", patient_id.strip()))
