"""What was promised, and was it done: commitments, villagers' checks, outcomes, issues of groups."""
