"""The overlay network by which Traefik, run by Compose, reaches services that Swarm runs."""

from __future__ import annotations

OVERLAY = "swarm/"
"""Before the name of a network in a plan: one of the Swarm's, that containers of Compose may join too."""


def beside(network: str) -> str:
    """The name of the overlay network that stands for one of this machine's: a name is one network's alone."""
    return f"{network}-swarm"
