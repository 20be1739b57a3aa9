# The gateway: the Azure Functions host, which starts r1 as its .NET isolated worker. Build it from the repository's root:
#   docker build -f infra/gateway.Dockerfile -t r1-gateway .
ARG SDK=mcr.microsoft.com/dotnet/sdk:10.0.400-noble
ARG HOST=mcr.microsoft.com/azure-functions/dotnet-isolated:4-dotnet-isolated10.0

FROM ${SDK} AS build
WORKDIR /source
COPY global.json Directory.* .editorconfig BannedSymbols.txt host.json ./
COPY core core
COPY functions functions
COPY models models
RUN --mount=type=cache,target=/root/.nuget/packages dotnet publish functions/R1Serverless.Functions.csproj -c Release -r linux-x64 -p:SelfContained=true -p:PublishReadyToRun=true -o /publish

FROM ${HOST}
# The host listens on a port that takes no privilege; r1 answers it on another, on 127.0.0.1. The limit is above r1's own, which says 413 in the API's words.
ENV AzureWebJobsScriptRoot=/home/site/wwwroot \
    AzureFunctionsJobHost__Logging__Console__IsEnabled=true \
    FUNCTIONS_REQUEST_BODY_SIZE_LIMIT=1073741824 \
    FUNCTIONS_WORKER_RUNTIME=dotnet-isolated \
    ASPNETCORE_URLS=http://+:8080
COPY --from=build --chown=1654:1654 /publish /home/site/wwwroot
# The user `app` of .NET's images. The host keeps what it must remember under /home.
RUN chown 1654:1654 /home /home/site
USER 1654
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["/home/site/wwwroot/r1", "health"]
