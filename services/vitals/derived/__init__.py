"""Values worked out from samples: each names its formula, its source, what went in, and what was missing.

None is stored, and none is given where what it needs is not there.
"""
