# syntax=docker/dockerfile:1
# One image for every process: code location (the default), webserver, daemon, MLflow server and exporter. It needs no
# write access but to /tmp and FRAUD_HOME.
#
#   docker build --build-arg GIT_COMMIT="$(git rev-parse HEAD)" -t fraud-platform .

FROM ghcr.io/astral-sh/uv:0.13.0 AS uv

FROM python:3.11.14-slim AS build
COPY --from=uv /uv /usr/local/bin/uv
# The image's own Python; no links into a cache that stays behind; bytecode now, because it cannot be written later.
ENV UV_PYTHON_DOWNLOADS=never \
    UV_PYTHON=/usr/local/bin/python3 \
    UV_LINK_MODE=copy \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/fraud-platform/.venv
WORKDIR /opt/fraud-platform
# The libraries first: they change less often than the project.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY fraud_platform fraud_platform
# The project stays beside its uv.lock, and says which commit it is as a checkout would: every model records both.
ARG GIT_COMMIT=""
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked --no-dev \
    && python -m compileall -q fraud_platform \
    && mkdir .git \
    && echo "$GIT_COMMIT" > .git/HEAD

FROM python:3.11.14-slim
# LightGBM loads the OpenMP runtime of the system. Not pinned: Debian keeps only the newest build of a release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/fraud-platform /opt/fraud-platform
COPY deploy/dagster.yaml deploy/workspace.yaml deploy/with_password.sh deploy/with_keys.sh /opt/fraud-platform/deploy/
# A number, so that whoever runs the image can tell that it is not root.
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/fraud-platform fraud \
    && install --directory --owner=10001 --mode=0700 /var/lib/fraud-platform
# Libraries that want to write caches write them to /tmp.
ENV PATH=/opt/fraud-platform/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DAGSTER_HOME=/opt/fraud-platform/deploy \
    FRAUD_HOME=/var/lib/fraud-platform \
    MPLCONFIGDIR=/tmp/matplotlib \
    NUMBA_CACHE_DIR=/tmp/numba
WORKDIR /var/lib/fraud-platform
USER 10001
# The code location's gRPC, the webserver and the MLflow server.
EXPOSE 4000 3000 5000
STOPSIGNAL SIGINT
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
    CMD ["dagster", "api", "grpc-health-check", "--port", "4000"]
CMD ["dagster", "api", "grpc", "--host", "0.0.0.0", "--port", "4000", "--module-name", "fraud_platform.definitions", "--location-name", "fraud_platform", "--log-format", "json"]
