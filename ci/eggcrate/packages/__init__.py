"""From lock files to verified files on disk: what to fetch, from where, into which cache."""
