"""Acme's own sections of a pull request's report."""


def owners(document):
    """Who is to be asked; nothing for a change of no environment."""
    names = [one["name"] for one in document["environments"]]
    return "### Acme\n\nAsk the owners of " + ", ".join(names) if names else None
