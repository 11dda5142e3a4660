"""The lessons: where they lie, how a text becomes two notebooks, and the exercises that belong to them."""
