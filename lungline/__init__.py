"""The shared language of all rooms: settings, findings, reason codes, errors, pseudonyms, logging. Imports nothing of ours."""

__version__ = "0.1.0"

RESEARCH_USE = "Research use only. Not a medical device: no verdict may guide the care of a patient."
MANUFACTURER = "Lungline"  # in DICOM objects that it makes, by which it knows them when a PACS sends them back
