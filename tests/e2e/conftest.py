"""Tests of the whole program; their fixtures are in tests/fixtures.py."""
