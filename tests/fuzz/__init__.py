"""`make fuzz`: broken input of every kind at every door of a running suite; see `run.py`."""
