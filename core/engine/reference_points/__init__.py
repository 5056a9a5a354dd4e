"""What a model's score is held against: answers that need no model, or no photo. Nothing here needs torch."""
