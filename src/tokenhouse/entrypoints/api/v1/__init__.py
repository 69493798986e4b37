"""Our own API: resources by their nouns."""
