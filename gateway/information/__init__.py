"""Information pages: written by staff, read on the phone."""
