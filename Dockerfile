# The exchange in a container: `make image`, or deploy/compose.yml for one with PostgreSQL.
FROM python:3.11-slim AS build
WORKDIR /src
COPY . .
RUN python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir dist .
RUN deploy/install dist/*.whl /opt/samhandling

FROM python:3.11-slim
RUN useradd --system --uid 10001 --user-group --home-dir /data samhandling \
 && install --directory --owner samhandling --group samhandling --mode 0750 /data
COPY --from=build /opt/samhandling /opt/samhandling
ENV PATH=/opt/samhandling/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SAMHANDLING_HOST=0.0.0.0 \
    SAMHANDLING_PORT=8080 \
    SAMHANDLING_DATABASE_URL=sqlite:////data/samhandling.db \
    SAMHANDLING_KEY_FILE=/data/samhandling.key
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['SAMHANDLING_PORT'] + '/health/ready', timeout=4)"]
CMD ["samhandling", "serve"]
