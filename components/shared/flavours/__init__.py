"""The libraries that can train a model, one module each, all with the same functions.

``fit`` trains and says how many rounds it kept, ``outputs`` predicts, ``dump`` and ``load`` write
and read the library's own portable format, ``importances`` tells what the library itself thinks
of each feature. A module imports its library inside these functions alone: an environment holds
one or two of them.
"""
