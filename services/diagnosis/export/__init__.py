"""A bundle's network as ONNX graphs, for serving without torch, and the check that they say the same."""
