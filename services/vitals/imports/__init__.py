"""Takes whole files in: exports of wearables and of records, read into candidates that pass the same checks as a line
of `POST /vitals/samples`.

A reader for each format turns a file into items, one after the other and in bounded memory; a job in the database says
how far it has come. Files are kept as received.
"""
