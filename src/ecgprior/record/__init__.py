"""One ECG: its type, annotations, leads, filters and file formats."""
