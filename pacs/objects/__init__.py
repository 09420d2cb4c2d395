"""DICOM objects that tell a study's result: a picture of it (Secondary Capture) and a structured report (TID 1500)."""
