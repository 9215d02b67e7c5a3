"""The evaluation harness: what every model, ours or not, is judged by. `consilium evaluate` is its door."""
