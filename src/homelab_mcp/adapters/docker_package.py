"""The ``docker`` package, imported whole before a part of it is."""

from __future__ import annotations


def load_docker() -> None:
    """Import the package where it is not yet.

    A thread that asks for ``docker.utils`` while another is in the middle of importing ``docker`` (which asks for
    ``docker.utils`` itself) would get a KeyError of the import system: each waits for what the other holds, and one of
    them goes on without. Who asks for the package waits until it is whole.
    """
    import docker  # noqa: F401
