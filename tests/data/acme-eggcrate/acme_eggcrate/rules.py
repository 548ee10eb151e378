"""Acme's own rules."""


def names(subject, settings):
    """An environment is called after its team: ``risk-…``; nothing holds a retired package."""
    prefixes = tuple(settings.get("prefixes", ()))
    if prefixes and not subject.name.startswith(prefixes):
        yield f"its name begins with none of {', '.join(prefixes)}"
    for name in settings.get("retired", ()):
        if name in subject.packages:
            yield {"what": f"{name} is retired at Acme", "package": name, "warning": True}
