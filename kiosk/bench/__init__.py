"""Play shopper to a running lane. Never part of a production image."""
