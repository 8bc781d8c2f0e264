"""What mean-field theory says of a graph: moments forward and backward, with error bars."""
