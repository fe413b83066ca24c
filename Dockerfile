# syntax=docker/dockerfile:1

# docker build -t leadership --build-arg VERSION=v1.2.3 --build-arg REVISION=$(git rev-parse HEAD) .
#     the program alone: serve, and whatever asks a store
# docker build -t leadership:busybox --target busybox .
#     with a shell, for what leadership run is to start

ARG GO_VERSION=1.26

FROM --platform=$BUILDPLATFORM golang:${GO_VERSION}-bookworm AS build
WORKDIR /src
COPY . .
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=dev
ARG REVISION=unknown
# The modules that .dockerignore leaves out leave go.work too. No cgo: the program
# is static, SQLite included.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go work edit -dropuse=./bench -dropuse=./examples -dropuse=./faults -dropuse=./internal/tests \
    && CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -buildvcs=false -trimpath -ldflags="-s -w -X main.builtVersion=$VERSION -X main.builtRevision=$REVISION" -o /out/leadership ./cmd/leadership \
    && mkdir /out/state

FROM busybox:1.37-musl AS busybox
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/leadership /usr/bin/leadership
COPY --from=build --chown=65532:65532 /out/state /var/lib/leadership
ENV XDG_STATE_HOME=/var/lib
USER 65532:65532
ENTRYPOINT ["/usr/bin/leadership"]

FROM gcr.io/distroless/static-debian12:nonroot AS leadership
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="leadership" \
      org.opencontainers.image.description="Elects one leader among processes, over a key/value store" \
      org.opencontainers.image.source="https://github.com/seed-a1d591d3/leadership" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/leadership /usr/bin/leadership
# Where LEADERSHIP_STORE names no store there is a file in this folder, for one
# container alone: put a volume there to keep it.
COPY --from=build --chown=65532:65532 /out/state /var/lib/leadership
ENV XDG_STATE_HOME=/var/lib
USER 65532:65532
EXPOSE 8080
# Of serve. With another command, or with TLS, say --no-healthcheck, or what
# fits.
HEALTHCHECK --interval=10s --timeout=4s --start-period=10s --retries=3 \
    CMD ["/usr/bin/leadership", "alive"]
ENTRYPOINT ["/usr/bin/leadership"]
CMD ["serve", "--listen", ":8080"]
