# The backend as it is deployed: the application and both migration chains, nothing of the phases.
#   docker build -t sigmasight-backend .
#   docker run -e DATABASE_URL=… -e AI_DATABASE_URL=… -e SECRET_KEY=… -p 8000:8000 sigmasight-backend
ARG BASE_IMAGE=python:3.11-slim

FROM ${BASE_IMAGE} AS build
WORKDIR /app
COPY requirements-backend.txt ./
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r requirements-backend.txt \
    && find /venv -type d -name tests -prune -exec rm -rf {} +
COPY pyproject.toml alembic.ini alembic_ai.ini ./
COPY app ./app
COPY migrations_core ./migrations_core
COPY migrations_ai ./migrations_ai
# By its metadata alone: the code stays where the chains and their settings are.
RUN /venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --editable . \
    && /venv/bin/pip uninstall --yes --quiet setuptools pip \
    && python -m compileall -q app migrations_core migrations_ai

FROM ${BASE_IMAGE}
RUN useradd --system --uid 10001 --no-create-home sigmasight
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=10 \
    UVICORN_TIMEOUT_KEEP_ALIVE=75 \
    PORT=8000
USER sigmasight
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/health', timeout=4)"]
CMD ["sh", "-c", "alembic -c alembic.ini upgrade head && alembic -c alembic_ai.ini upgrade head && exec uvicorn app.main:app --host 0.0.0.0 --port $PORT"]
