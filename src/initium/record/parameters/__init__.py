"""What parameters hold, and which values initium wrote."""
