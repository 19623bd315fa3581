"""Uploads carry what trainable_filter(entry[0]) lets through."""
