"""Measures an ECG: beats, waves, intervals, features, quality."""
