"""What could be better in a lab: findings by subject, each with its evidence and a call that plans its fix."""
