"""The figures, over plain arrays: each takes weights [resamples, n], so a figure and its bootstrap are one formula."""
