# syntax=docker/dockerfile:1
#
# One static binary, for linux/amd64 and linux/arm64:
#     docker build -t tiktok-exporter .
#     docker buildx build --platform linux/amd64,linux/arm64 -t tiktok-exporter .

FROM rust:1.89-alpine3.22 AS build
# SQLite, ring and the allocator are C; the headers come with musl-dev.
RUN apk add --no-cache musl-dev=~1.2
WORKDIR /src

# The dependencies, in a layer that lasts until they change: built with an empty program. Benchmarks
# are not sent here, and Cargo would miss those that it is told of.
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN sed -Ei '/^\[\[(bench|example|test)\]\]$/,/^$/d' Cargo.toml \
    && mkdir src \
    && echo 'fn main() {}' >src/main.rs \
    && touch src/lib.rs \
    && cargo build --release --locked \
    && rm -r src target/release/.fingerprint/tiktok-exporter-*

COPY docs/runbooks docs/runbooks
COPY src src
RUN cargo build --release --locked \
    && mkdir -p /root-of-image/data /root-of-image/etc/ssl/certs \
    && cp target/release/tiktok-exporter /root-of-image/ \
    && cp /etc/ssl/certs/ca-certificates.crt /root-of-image/etc/ssl/certs/


# What fills the demo's Prometheus with history: its own tools, and the program that knows the past.
FROM prom/prometheus:v3.5.0 AS history
COPY --from=build /root-of-image/tiktok-exporter /bin/tiktok-exporter
USER 65534:65534
ENTRYPOINT ["/bin/sh"]
HEALTHCHECK NONE


# The exporter: the program, the certificates it trusts, and a directory it may write to.
FROM scratch AS exporter
COPY --from=build /root-of-image/etc /etc
COPY --from=build /root-of-image/tiktok-exporter /
# A volume begins with the owner of the directory that it covers.
COPY --from=build --chown=65532:65532 /root-of-image/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 10110
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/tiktok-exporter", "health"]
ENTRYPOINT ["/tiktok-exporter"]
CMD ["serve", "--config.file=/etc/tiktok-exporter/tiktok-exporter.toml", "--web.listen-address=0.0.0.0:10110"]
