"""Tests on a real Docker Engine; their fixtures are in tests/fixtures.py."""
