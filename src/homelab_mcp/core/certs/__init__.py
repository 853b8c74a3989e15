"""What is known and decided about certificates: Traefik's store, its log, the CA's limits, what is wrong and why."""
