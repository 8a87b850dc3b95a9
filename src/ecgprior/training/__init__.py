"""Turns a recipe into a run."""
