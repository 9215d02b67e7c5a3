"""The composition root: puts the services together, in one process or in many.

The only code that may import them all. What differs between embedded and distributed is decided here, as settings
(`CONSILIUM_*`), and nowhere else.
"""
