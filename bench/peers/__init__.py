"""Programs of others, and short ones that use them: what people would use instead."""
