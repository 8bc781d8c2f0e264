"""Class frequencies, and the head biases that state them."""
