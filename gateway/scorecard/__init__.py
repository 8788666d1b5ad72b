"""Rounds of ratings: what they come to, and what of it leaves the programme."""
