"""What a person touches: commands, reports and plots."""
