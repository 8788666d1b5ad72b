"""The one kind of error that is told to people instead of shown as a traceback."""


class Told(Exception):  # it reads as what is done with it
    """Something an operator can mend: the message says in a line what is wrong, with which thing, and what to do."""
