"""Docker Swarm as the engine of a stack: what of a Compose stack it takes, and the form it takes it in."""
