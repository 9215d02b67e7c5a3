"""The ward: a generative model of patients whose truth is known, and its renderings as DICOM, notes and vitals."""
