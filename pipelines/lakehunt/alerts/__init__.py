"""Tells people and systems what hunts have found: each finding once, without the secrets of its command lines."""
