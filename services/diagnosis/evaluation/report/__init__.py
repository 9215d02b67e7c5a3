"""An evaluation as one self-contained HTML page, and as the text of a model card."""
