"""Streamable HTTP: who is let in, how much they may ask, and the program that listens."""
