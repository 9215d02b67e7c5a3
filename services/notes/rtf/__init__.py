"""Rich text (RTF 1.9.1) as the words that a reader would see.

What is hidden, struck by a tracked change, in headers, footers and pictures is left out.
"""
