# syntax=docker/dockerfile:1
#
# One static binary, for linux/amd64 and linux/arm64:
#     docker build -t tiktok-exporter .
#     docker buildx build --platform linux/amd64,linux/arm64 -t tiktok-exporter .

FROM rust:1.89-alpine3.22 AS build
# SQLite, ring and the allocator are C; the headers come with musl-dev.
RUN apk add --no-cache make=~4.4 musl-dev=~1.2
WORKDIR /src

# The dependencies, in a layer that is cached until they change: built with an empty program. Benchmarks,
# examples and tests are not in the build context, so their sections are removed from Cargo.toml.
ARG TARGETARCH
COPY .cargo .cargo
# Systems for arm64 have pages of 4, 16 or 64 KiB; an allocator built for smaller pages than it meets gives up.
RUN if [ "$TARGETARCH" = arm64 ]; then echo 'JEMALLOC_SYS_WITH_LG_PAGE = "16"' >>.cargo/config.toml; fi
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


# Fills the demo's Prometheus with history: Prometheus' own tools, and the exporter.
FROM prom/prometheus:v3.5.0 AS history
COPY --from=build /root-of-image/tiktok-exporter /bin/tiktok-exporter
USER 65534:65534
ENTRYPOINT ["/bin/sh"]
HEALTHCHECK NONE


# The exporter: the program, CA certificates, and a writable directory.
FROM scratch AS exporter
COPY --from=build /root-of-image/etc /etc
COPY --from=build /root-of-image/tiktok-exporter /
# A new volume gets the owner of the directory that it covers.
COPY --from=build --chown=65532:65532 /root-of-image/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 10110
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/tiktok-exporter", "health"]
ENTRYPOINT ["/tiktok-exporter"]
CMD ["serve", "--config.file=/etc/tiktok-exporter/tiktok-exporter.toml", "--web.listen-address=0.0.0.0:10110"]
