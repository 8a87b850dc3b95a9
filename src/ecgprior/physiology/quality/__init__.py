"""Signal quality: what disturbs an ECG, lead by lead, in numbers, findings and one score."""
