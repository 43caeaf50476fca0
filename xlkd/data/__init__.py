"""Data: loaded by role and language, checked, mixed and collated."""
