"""What an inspector files: one HTML page a run, complete in itself."""
