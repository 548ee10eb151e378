"""What a component says when its input is at fault: a sentence for the one who wired it."""


class ComponentError(Exception):
    """An expected failure of a component; its message says what, where and what to do."""


class DataError(ComponentError):
    """The data cannot be used: a column is missing, a table is empty, a value has no type."""


class ModelError(ComponentError):
    """A model cannot be trained, saved or loaded as asked."""
