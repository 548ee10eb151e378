# Poetry as its users build with it: two stages, the lock bound in, downloads in a cache mount.
FROM bench/poetry:current AS build
ARG POETRY_PYPI_MIRROR_URL
ENV POETRY_NO_INTERACTION=1 POETRY_VIRTUALENVS_IN_PROJECT=1
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/pypoetry \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=poetry.lock,target=poetry.lock \
    poetry install --only main --no-root

FROM bench/python:current
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH
