"""What a note says, as offsets into its text: sections, findings and their contexts, language, identifiers.

Rules and tables alone: nothing here knows sockets, the database or a model. Whatever changes what is found raises
`analysis.VERSION`.
"""
