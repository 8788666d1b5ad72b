"""One thing said to many: broadcasts, polls, what they cost and when they go."""
