"""The one exception for problems that a user can fix: bad parameters, missing or damaged data, unusable folders."""


class InputError(ValueError):
    """A one-line message that says what is wrong and what to do."""

    def _render_traceback_(self):
        # IPython asks for this method: a notebook then shows the line, not the frames that led to it.
        return [f"{type(self).__name__}: {self}"]
