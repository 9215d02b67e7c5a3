"""What the notes service does: take notes in, link their versions, give them out."""
