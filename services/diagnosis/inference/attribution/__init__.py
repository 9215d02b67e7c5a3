"""Inside one modality: which cells, words and readings its contribution came from."""
