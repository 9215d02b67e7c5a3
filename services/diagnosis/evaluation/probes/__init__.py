"""What is found out by asking a model about changed cases: explanations, strangers, gaps, time, latency."""
