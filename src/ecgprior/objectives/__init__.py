"""What an encoder is asked to solve: one file a method."""
