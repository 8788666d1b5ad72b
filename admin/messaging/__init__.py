"""Messages: broadcasts, polls, the outbox, contacts."""
