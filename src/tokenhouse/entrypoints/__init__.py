"""Where the outside comes in: thin, and blind to each other."""
