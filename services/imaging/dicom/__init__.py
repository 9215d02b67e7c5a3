"""The craft of this service: reading, checking, decoding and rendering DICOM, and its web forms."""
