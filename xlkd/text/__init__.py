"""What text is made of: letters, words, tags of words."""
