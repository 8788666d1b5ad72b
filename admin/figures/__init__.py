"""Figures: tallies, rounds, what is published, weekly letters; councils' and volunteers' own pages."""
