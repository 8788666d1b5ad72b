"""What runs beside the web server: the outbox is sent, retention is kept."""
