"""CI on Google Cloud: the build file, Cloud Build here and there, what the registry holds."""
