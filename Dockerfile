# One file, four images: `docker build --target bot|worker|watchdog|socket-proxy .`
# Both bases are arguments, so that a mirror or a home-made base serves as well; PIP_* likewise.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

# --- socket-proxy: a door to the engine that only lets questions through ----------------------------------------
FROM ${DEBIAN_IMAGE} AS socket-proxy
RUN apt-get -qq update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends haproxy >/dev/null \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY deploy/haproxy.cfg /etc/haproxy/allow-list.cfg
# It stays uid 0 because the engine's socket belongs to root, with a group that has another number on every host.
# Compose takes every capability away; whoever may open that socket commands the engine anyway, whatever the uid.
EXPOSE 2375
HEALTHCHECK --interval=15s --timeout=3s --start-period=5s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/2375; printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' >&3; grep -q OK <&3"]
# Asks haproxy to finish: exit code 0. An open event stream is cut after `hard-stop-after`.
STOPSIGNAL SIGUSR1
CMD ["haproxy", "-db", "-f", "/etc/haproxy/allow-list.cfg"]

# --- what the Python images share --------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS python
# 10001: no user of the host has this number, so whoever breaks out of the container owns nothing there.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /tmp app \
    && install -d -o app -g app /data /var/cache/app
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 TZ=UTC DATA_DIR=/data
WORKDIR /app

# --- watchdog: no audio stack, no bot ------------------------------------------------------------------------------
FROM python AS watchdog-packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY requirements/watchdog.txt /tmp/requirements.txt
RUN python3 -m venv /opt/venv \
    && pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt \
    && pip uninstall -q -y pip setuptools

FROM python AS watchdog
COPY --from=watchdog-packages /opt/venv /opt/venv
COPY watchdog watchdog
RUN python -m compileall -q watchdog
USER app
VOLUME ["/data"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "watchdog.health", "/data/watchdog-health.json"]
STOPSIGNAL SIGTERM
CMD ["python", "-m", "watchdog"]

# --- bot and worker: the same packages and code, another command ----------------------------------------------------
FROM python AS bot-packages
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY requirements/scale.txt /tmp/requirements.txt
RUN python3 -m venv /opt/venv \
    && pip install --no-cache-dir --require-hashes -r /tmp/requirements.txt \
    && pip uninstall -q -y pip setuptools \
    # Test suites that nothing imports at run time. (numpy's stay: numpy.testing imports a piece of them; and the
    # stub files stay, since librosa loads itself by them.)
    && for p in scipy sklearn numba llvmlite joblib matplotlib; do \
         find /opt/venv/lib/python3*/site-packages/$p -type d -name tests -prune -exec rm -rf {} +; done

FROM python AS service
COPY --from=bot-packages /opt/venv /opt/venv
ENV XDG_CACHE_HOME=/var/cache/app MPLCONFIGDIR=/var/cache/app/matplotlib HTTP_HOST=0.0.0.0 HTTP_PORT=8080
COPY pyproject.toml ./
COPY migrations migrations
COPY inference inference
COPY bot bot
RUN python -m compileall -q bot inference migrations

USER app
# A made-up tune through the whole pipeline: an image that cannot do its job is not built. It also fills the caches.
RUN python -c "import inference.warmup, matplotlib.font_manager; inference.warmup.warm_up()"
# A volume can be written also under --read-only, and it starts with the image's content.
VOLUME ["/data", "/var/cache/app"]
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
STOPSIGNAL SIGTERM

FROM service AS worker
CMD ["python", "-m", "bot", "worker"]

FROM service AS bot
CMD ["python", "-m", "bot"]
