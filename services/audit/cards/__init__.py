"""A registered model card in the forms that people and other systems read."""
