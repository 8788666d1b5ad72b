"""Comments in people's own words: taken, cleaned, told."""
