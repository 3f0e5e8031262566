"""The five actors of the crew: one file, one ``run``."""
