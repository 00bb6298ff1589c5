"""What brings the journal to the back office, and prices and orders to the lane."""
