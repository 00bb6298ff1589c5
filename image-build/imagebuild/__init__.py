"""Builds the appliance's image in cached stages. Runs on a build machine, never in it."""
