# One image for every role: broker, controller, operator, tools. The Swift runtime is linked in; what remains are a few C
# libraries of Debian.
#
#   docker build -t swiftwater .
#   docker run -p 9092:9092 swiftwater broker --override listeners=PLAINTEXT://:9092 \
#     --override advertised.listeners=PLAINTEXT://localhost:9092 --override log.dirs=/var/lib/swiftwater/data

FROM swift:6.3-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    zlib1g-dev liblz4-dev libzstd-dev libsnappy-dev libpcre2-dev libmicrohttpd-dev libyaml-dev libcurl4-openssl-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
# Half of the program would be what debuggers know of Swift's own libraries. Names for backtraces stay.
RUN swift build -c release --static-swift-stdlib --product swiftwater && strip --strip-debug .build/release/swiftwater

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
    zlib1g liblz4-1 libzstd1 libsnappy1v5 libpcre2-8-0 libmicrohttpd12 libyaml-0-2 libcurl4 ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o 65532 -g 65532 /var/lib/swiftwater
COPY --from=build /source/.build/release/swiftwater /usr/bin/swiftwater
USER 65532:65532
VOLUME /var/lib/swiftwater
EXPOSE 9092 9093 9404
ENTRYPOINT ["/usr/bin/swiftwater"]
CMD ["broker"]
