"""What the imaging service does, one verb per function; everything it needs is an argument."""
