"""Everything but the page: data, runs, models, metrics and reports. It imports nothing of damgui."""
