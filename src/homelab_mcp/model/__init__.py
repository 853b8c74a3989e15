"""Frozen types and the error tree; imports nothing else of this project."""
