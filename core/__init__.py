"""The engine: data, runs and models. Knows nothing of the page and works alone from the command line."""
