"""Who logs in: logins, invitations, second factors, sessions."""
