"""Making a student: layers, width and vocabulary, cut from a teacher."""
