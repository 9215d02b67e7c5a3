"""Datasets behind one interface: the ward, published cohorts, MIMIC, and what a hospital has on disk."""
