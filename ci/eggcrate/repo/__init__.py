"""The monorepo as values: environments, bases, components, settings."""
