"""Measurements of the gateway: what it takes, and what it survives."""
