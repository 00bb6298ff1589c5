"""`kiosk fleet`: what the admin of a fleet does from a desk. Not on a kiosk's way."""
