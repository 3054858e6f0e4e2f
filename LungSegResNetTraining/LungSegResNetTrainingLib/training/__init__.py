"""Training runs, their records, and the networks they leave."""
