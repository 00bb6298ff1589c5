"""The updater: a signed bundle into the other slot, and a health gate after it."""
