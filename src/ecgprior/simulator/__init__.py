"""Makes ECGs whose truth is known."""
