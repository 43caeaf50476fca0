"""Making a student."""
