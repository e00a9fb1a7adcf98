"""Measurements beside their floors; each module is a command, none asserts a time."""
