"""One file a published source: its folder turned into catalog rows, and its records loaded right."""
