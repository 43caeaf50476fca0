"""Scores by language with their intervals, and what is made of them: tables, plots, a page."""
