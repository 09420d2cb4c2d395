"""DICOM to and from others."""
