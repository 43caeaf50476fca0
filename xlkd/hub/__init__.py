"""What is published of a student: its record, its model card, and the way to the Hub."""
