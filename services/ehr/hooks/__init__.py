"""The CDS Hooks 2.0 service: discovery, cards for finished results, feedback. It never runs the model."""
