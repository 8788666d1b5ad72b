"""What each command of `mati` does, by what it is for; `gateway/cli.py` puts them together."""
