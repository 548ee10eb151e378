"""Where images live: the OCI image layout of a checkout (and, later, remote registries)."""
