"""`make chaos`: faults while thousands of messages go out, and an audit of what became of each (docs/chaos.md)."""
