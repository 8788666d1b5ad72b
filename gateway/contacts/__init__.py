"""Those who asked to hear from us: their contacts, groups, and files of them."""
