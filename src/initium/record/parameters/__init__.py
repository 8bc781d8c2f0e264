"""What parameters hold."""
