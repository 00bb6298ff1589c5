"""The store server: takes entries exactly once, serves catalogue and orders."""
