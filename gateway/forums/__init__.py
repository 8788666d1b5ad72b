"""Public forums, from the plan to what came of them."""
