"""The rules of selling, pure: no clock, no device, no database, no settings file."""
