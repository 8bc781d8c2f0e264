"""Pure mathematics of initialization: fans, gains, mean-field theory. No nn.Module here."""
