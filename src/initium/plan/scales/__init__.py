"""How large a weight starts: by calibration or by theory."""
