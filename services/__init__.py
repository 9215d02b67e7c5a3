"""Consilium's services, and the composition root (`suite`, `cli`) that puts them together."""
