# A worker: r1 and, built into the image, r1-nano. Build it from the repository's root:
#   docker build -f infra/worker.Dockerfile -t r1-worker .                          for NVIDIA GPUs
#   docker build -f infra/worker.Dockerfile -t r1-worker:cpu --build-arg GPU=false .
ARG GPU=true
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0.400-noble
# What the package's CUDA provider links to: CUDA 13 (its compiler is 13.0's), and cuDNN 9. The driver, 580 or later, is the host's.
ARG CUDA=nvidia/cuda:13.0.2-cudnn-runtime-ubuntu24.04
ARG CPU=mcr.microsoft.com/dotnet/runtime-deps:10.0.11-noble

FROM ${SDK} AS build
ARG GPU
WORKDIR /source
COPY global.json Directory.* .editorconfig BannedSymbols.txt host.json ./
COPY core core
COPY functions functions
COPY models models
RUN --mount=type=cache,target=/root/.nuget/packages dotnet publish functions/R1Serverless.Functions.csproj -c Release -r linux-x64 -p:SelfContained=true -p:PublishReadyToRun=true -p:Gpu=${GPU} -o /publish
# What a worker would build at its first start. It is built from these very files, so that none builds it again.
# Graphs are prepared for the CPU alone.
RUN /publish/r1 model build /publish/models/r1-nano --precision fp32,fp16,int8,int4 --data /data $([ ${GPU} = false ] || echo --no-prepare)

FROM ${CUDA} AS runtime-true
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3t64 libstdc++6 \
    && rm -rf /var/lib/apt/lists/*

FROM ${CPU} AS runtime-false

FROM runtime-${GPU}
ENV HOME=/var/lib/r1
COPY --from=build /publish /app
COPY --from=build --chown=1654:1654 /data /var/lib/r1
# The user `app` of .NET's images; NVIDIA's have none of this number, and need none.
USER 1654
EXPOSE 7071
HEALTHCHECK --interval=10s --timeout=6s --start-period=120s --retries=3 CMD ["/app/r1", "health"]
ENTRYPOINT ["/app/r1"]
CMD ["serve", "--role", "worker", "--data", "/var/lib/r1"]
