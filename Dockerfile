# Images of Graft: the targets gateway (no TensorFlow), modelserver, and pipeline (training and export).
#
#   docker build --target gateway -t graft-gateway .
#
# Nothing here is tied to a processor: pyproject.toml says which build of TensorFlow belongs to which.
ARG PYTHON_IMAGE=python:3.11-slim

# --- building; nothing of it is in an image that runs -------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/graft

# lists of their own, so that a change of pyproject.toml that changes none of them downloads nothing again
FROM builder AS requirements
ARG GATEWAY_EXTRAS=gateway
ARG MODELSERVER_EXTRAS=modelserver
COPY pyproject.toml deploy/docker/extra_requirements.py ./
RUN mkdir /requirements \
    && python extra_requirements.py ${GATEWAY_EXTRAS} >/requirements/gateway.txt \
    && python extra_requirements.py ${MODELSERVER_EXTRAS} >/requirements/modelserver.txt \
    && python extra_requirements.py exporter postgresql >/requirements/pipeline.txt

FROM builder AS wheel
# for the one extension in C; without it TensorFlow's library would decode images
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip wheel --no-deps --wheel-dir /wheel .

FROM builder AS gateway-packages
COPY constraints.txt ./
COPY --from=requirements /requirements/gateway.txt requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/graft/bin/python install --constraint constraints.txt --requirement requirements.txt
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/graft/bin/python install --no-deps --no-index /wheel/*.whl

FROM builder AS modelserver-packages
COPY constraints.txt ./
COPY --from=requirements /requirements/modelserver.txt requirements.txt
# 290 MB of headers, for those who compile operations of their own, are not needed to run
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/graft/bin/python install --constraint constraints.txt --requirement requirements.txt \
    && rm -rf /opt/graft/lib/python3*/site-packages/tensorflow/include
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/graft/bin/python install --no-deps --no-index /wheel/*.whl

FROM builder AS pipeline-packages
COPY constraints.txt ./
COPY --from=requirements /requirements/pipeline.txt requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/graft/bin/python install --constraint constraints.txt --requirement requirements.txt \
    && rm -rf /opt/graft/lib/python3*/site-packages/tensorflow/include
COPY --from=wheel /wheel /wheel
RUN pip --python /opt/graft/bin/python install --no-deps --no-index /wheel/*.whl

# --- what runs: the base image without its installers, a user without a name's rights, and one folder ---------------
FROM ${PYTHON_IMAGE} AS runtime
COPY deploy/docker/remove_installers.py deploy/docker/probe.py /opt/
# /keys and /project belong to the user, so that a new volume that is mounted there does too
RUN python /opt/remove_installers.py && rm /opt/remove_installers.py \
    && echo 'graft:x:10001:10001::/tmp:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'graft:x:10001:' >>/etc/group \
    && install -d -o 10001 -g 10001 -m 0750 /keys /project
# HOME is the one folder that can be written, a tmpfs where the root is read-only; bytecode was compiled when installed
ENV PATH=/opt/graft/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="Graft" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS gateway
LABEL org.opencontainers.image.title="graft-gateway" \
      org.opencontainers.image.description="The predict API in front of TensorFlow Serving"
COPY --from=gateway-packages /opt/graft /opt/graft
ENV GATEWAY_HOST=0.0.0.0 GATEWAY_PORT=8000
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-E", "-s", "/opt/probe.py", "http", "8000", "/livez"]
ENTRYPOINT ["graft"]
CMD ["gateway"]

FROM runtime AS modelserver
LABEL org.opencontainers.image.title="graft-modelserver" \
      org.opencontainers.image.description="TensorFlow Serving's gRPC API on a plain Python install"
COPY --from=modelserver-packages /opt/graft /opt/graft
EXPOSE 8500 8501
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-E", "-s", "/opt/probe.py", "grpc", "8500"]
# flags follow, as with the image of TensorFlow Serving
ENTRYPOINT ["graft", "modelserver", "--host=0.0.0.0"]
CMD ["--help"]

FROM runtime AS pipeline
LABEL org.opencontainers.image.title="graft-pipeline" \
      org.opencontainers.image.description="Training and export"
COPY --from=pipeline-packages /opt/graft /opt/graft
WORKDIR /project
ENTRYPOINT ["graft"]
CMD ["--help"]
