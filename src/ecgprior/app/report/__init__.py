"""The only HTML engine."""
