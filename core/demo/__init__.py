"""A small world with known truth: drawn dam scenes, and the tiny model that learns from them."""
