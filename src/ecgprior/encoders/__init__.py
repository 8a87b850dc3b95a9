"""Signal to embedding: one file an architecture."""
