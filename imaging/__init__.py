"""From the bytes of a file to a gray image in physical units and the facts of its header: DICOM, PNG, JPEG."""
