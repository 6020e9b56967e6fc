# PostgreSQL and NATS from the distribution's packages, where no registry has the images that compose.yaml names. They
# have the users, folders, variables and commands of the official images that compose.yaml uses.
ARG BASE=debian:13-slim

FROM scratch AS archive
FROM scratch AS containers

FROM ${BASE} AS postgres
RUN groupadd --gid 999 postgres \
    && useradd --uid 999 --gid 999 --no-create-home --home-dir /var/lib/postgresql --shell /bin/sh postgres \
    && install -d /etc/postgresql-common && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
RUN --mount=type=bind,from=containers,target=/containers --mount=type=bind,from=archive,target=/archive,rw \
    /containers/install.sh postgresql \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/ \
    && install -d -o 999 -g 999 /var/lib/postgresql/data
COPY --chmod=0755 postgres.sh /usr/local/bin/docker-entrypoint.sh
VOLUME /var/lib/postgresql/data
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]

FROM ${BASE} AS nats
RUN --mount=type=bind,from=containers,target=/containers --mount=type=bind,from=archive,target=/archive,rw \
    /containers/install.sh nats-server busybox-static && ln -s /bin/busybox /usr/local/bin/wget
CMD ["nats-server"]
