"""Takes measurements of vital signs in and gives them out: samples line by line in, series and frozen windows out.

It owns every sample in its canonical code and unit, with code, value and unit as they were sent; the batches that
brought them; and the windows that diagnoses were made from, frozen by digest. What it answers with success is durable.
"""
