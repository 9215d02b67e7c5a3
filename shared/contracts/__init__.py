"""What one service says to another, and to the world: Pydantic models, one module per owning service."""
