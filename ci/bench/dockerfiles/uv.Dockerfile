# As uv's documentation recommends: two stages, the dependencies in a layer of their own, the lock
# bound in, a cache mount, bytecode compiled, files copied.
FROM bench/uv:current AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=0
WORKDIR /app
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --locked --no-install-project --no-dev

FROM bench/python:current
COPY --from=build /app/.venv /app/.venv
ENV PATH=/app/.venv/bin:$PATH
