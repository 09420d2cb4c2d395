"""Under which pseudonym a patient stands in the database, for those who hold the key."""

from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings


def patient_key(settings: Settings, patient_id: str) -> str:
    """The pseudonym of a patient id, as the views give it; spaces around the id do not count.

    Raises:
        SettingsError: the key file cannot be read.
    """
    return PseudonymKey.load_or_create(settings.key_file).pseudonym("patient", patient_id.strip())
