"""Google's clients: found or missed, quiet, logged in, and their failures in our words."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import warnings
from typing import TYPE_CHECKING, Any

from eggcrate.errors import SubmitError
from eggcrate.retries import TRANSIENT, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOG_IN = "log in with `gcloud auth application-default login`"
_EXTRA = {
    "google.cloud.aiplatform": "vertex",
    "google.cloud.storage": "vertex",
    "kfp": "pipelines",
}


def require(module: str, purpose: str) -> None:
    """Refuse to go on without an extra; finding a module does not import it.

    Raises:
        SubmitError: it is not installed; it says how it is.
    """
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        extra = _EXTRA[module]
        raise SubmitError(
            f"{purpose} needs {module}, which is not installed",
            hint=f"run `make setup-all` in the repository, or `pip install 'eggcrate[{extra}]'`",
        )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep clients' own logs, prints and warnings away from ours."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def credentials() -> Any:
    """Application default credentials.

    Raises:
        SubmitError: there are none.
    """
    from google import auth  # noqa: PLC0415 - slow, not always needed
    from google.auth import exceptions  # noqa: PLC0415 - as above

    try:
        found, _ = auth.default(scopes=[_SCOPE])
    except exceptions.GoogleAuthError as error:
        raise SubmitError(
            "there are no Google credentials on this machine", why=str(error), hint=LOG_IN
        ) from error
    return found


@contextlib.contextmanager
def told(doing: str, *, hints: dict[int, str] | None = None) -> Iterator[None]:
    """Tell a client's failure in our words.

    Args:
        doing: what is being done, as ``"creating schedule nightly"``.
        hints: what to do next, by HTTP status.

    Raises:
        SubmitError: it is refused.
        TransientError: another attempt may not be.
    """
    import requests  # noqa: PLC0415 - slow, not always needed
    from google.api_core import exceptions as api  # noqa: PLC0415 - as above
    from google.auth import exceptions as auth  # noqa: PLC0415 - as above

    try:
        with quiet():
            yield
    except auth.TransportError as error:
        raise TransientError(f"{doing}: {error}") from error
    except auth.GoogleAuthError as error:
        raise SubmitError(f"{doing} failed", why=_first_line(error), hint=LOG_IN) from error
    except api.RetryError as error:
        raise TransientError(f"{doing}: {error.cause or error}") from error
    except api.GoogleAPICallError as error:
        code = int(error.code or 0)
        if code in TRANSIENT:
            raise TransientError(f"{doing}: {error.message}") from error
        hint = (hints or {}).get(code) or (LOG_IN if code == _UNAUTHORIZED else "")
        raise SubmitError(
            f"{doing} failed", why=f"{code or ''} {error.message}".strip(), hint=hint
        ) from error
    except requests.HTTPError as error:
        code = error.response.status_code
        said = f"{code} {error.response.text[:500].strip() or error.response.reason}"
        if code in TRANSIENT:
            raise TransientError(f"{doing}: {said}") from error
        raise SubmitError(f"{doing} failed", why=said, hint=(hints or {}).get(code, "")) from error
    except (requests.RequestException, ConnectionError) as error:
        raise TransientError(f"{doing}: {_first_line(error)}") from error
    except ValueError as error:
        raise SubmitError(f"{doing} failed", why=_first_line(error)) from error


_UNAUTHORIZED = 401


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
