"""The programme: services, places, information, comments; the audit log, the pause."""
