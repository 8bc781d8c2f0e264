"""Running a foreign model, and putting everything back."""
