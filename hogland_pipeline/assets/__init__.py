"""The asset definitions, one module a kind of asset. They say what depends on what; the work is done elsewhere."""
