"""Pictures; paper.py is the only ECG paper."""
