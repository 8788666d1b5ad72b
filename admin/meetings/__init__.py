"""Meeting people: forums, what was promised there, issues that groups raise."""
