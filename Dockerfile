# Netmodes in containers (docs/deploying.md). Stages that are meant to run:
#
#   web     serves pages as an unprivileged user without access to Docker
#   lab     drives the machine's engine as root (compose.yaml)
#   hosts   lab with a Docker Engine inside, for private hosts and training sessions
#
# BASE is Debian 13, Ubuntu 24.04 or an image based on them; only missing packages are installed. Behind a mirror:
#   --build-arg PIP_INDEX_URL=…, or --secret id=pip.conf,src=FILE if the URL holds a password.
# Without a network, folders replace the archive and the index:
#   --build-context archive=FOLDER      apt's lists/ and archives/ (dashboard/packaging/containers/install.sh)
#   --build-context wheelhouse=FOLDER   wheels of requirements.txt and of the build's packages (dashboard/packaging/containers/pip.sh)
#   --build-context lab-image=FOLDER    lab-image/lab-image-….tar from the cache/ of a data folder

ARG BASE=debian:13-slim

FROM scratch AS archive
FROM scratch AS wheelhouse

FROM ${BASE} AS base
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers --mount=type=bind,from=archive,target=/archive,rw \
    /containers/install.sh python3

FROM base AS build
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers --mount=type=bind,from=archive,target=/archive,rw \
    /containers/install.sh python3-venv
ARG PIP_INDEX_URL
ARG PIP_TRUSTED_HOST
ARG NPM_CONFIG_REGISTRY
WORKDIR /source
COPY requirements.txt requirements-dev.txt ./
# The environment of the image has no pip; another environment installs into it.
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers --mount=type=bind,from=wheelhouse,target=/wheelhouse \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=cache,target=/root/.cache \
    python3 -m venv /build && python3 -m venv --without-pip /opt/netmodes \
    && /containers/pip.sh --python /opt/netmodes/bin/python install --no-compile --require-hashes -r requirements.txt
COPY . .
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers --mount=type=bind,from=wheelhouse,target=/wheelhouse \
    --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=cache,target=/root/.cache \
    /containers/make-wheel.sh /wheel \
    && /containers/pip.sh --python /opt/netmodes/bin/python install --no-compile --no-deps --no-index /wheel/*.whl \
    # Translations are read from .mo files.
    && find /opt/netmodes -name "*.po" -delete \
    # Compiled once, checked by hash instead of date: nothing is written later, and builds are reproducible.
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/netmodes/lib

FROM base AS netmodes
COPY --from=build /opt/netmodes /opt/netmodes
COPY dashboard/packaging/containers/make-secrets.sh dashboard/packaging/containers/nats.conf /usr/local/lib/netmodes/
ENV PATH=/opt/netmodes/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    GLIBC_TUNABLES=glibc.malloc.tcache_count=0 \
    NETMODES_DATA_DIR=/var/lib/netmodes
# The same ids as in compose.yaml, so that volumes have the same owner in every image.
RUN groupadd --gid 10001 netmodes \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/netmodes --shell /usr/sbin/nologin netmodes \
    && rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/log/lastlog /var/log/faillog
ARG BASE
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Netmodes" \
      org.opencontainers.image.description="Docker's network modes side by side: launched, read from the kernel, compared live." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}"
ENTRYPOINT ["netmodes"]
HEALTHCHECK --interval=20s --timeout=10s --start-period=90s --start-interval=2s --retries=3 CMD ["netmodes", "health"]

# The image for comparisons without a registry and on private hosts; built here because lab reaches no archive.
FROM netmodes AS lab-image
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers /containers/make-lab-image.sh /lab-image

FROM netmodes AS lab
COPY --from=lab-image /lab-image /usr/share/netmodes
# Tools that read the machine (`netmodes doctor`); without the engine.
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers --mount=type=bind,from=archive,target=/archive,rw \
    /containers/install.sh iproute2 iptables nftables conntrack net-tools busybox-static \
    && install -d -m 0700 /var/lib/netmodes
ENV NETMODES_ROLE=lab
CMD ["up"]

FROM lab AS hosts
RUN --mount=type=bind,source=dashboard/packaging/containers,target=/containers --mount=type=bind,from=archive,target=/archive,rw \
    /containers/install.sh docker.io docker-cli e2fsprogs curl

# The last stage, which `docker build .` builds.
FROM netmodes AS web
RUN install -d -m 0700 -o 10001 -g 10001 /var/lib/netmodes
ENV NETMODES_ROLE=web
USER 10001:10001
EXPOSE 8000
CMD ["up", "--host", "0.0.0.0"]
