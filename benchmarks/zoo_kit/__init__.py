"""The parts of the model zoo: entries, photographs, removal of normalization layers."""
