using System.Runtime.CompilerServices;
using Grpc.Core;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.Endpoints;
using R1Serverless.Api.OpenAI;
using R1Serverless.Serving;
using R1Serverless.Storage;

namespace R1Serverless.Api.Rpc;

/// <summary>The Open Inference Protocol v2 by gRPC: the same models, checks and dispatch as below /v2. A request waits for its answer; to come back
/// for it, by header, is REST's.</summary>
[BindServiceMethod(typeof(RpcBinding), nameof(RpcBinding.Bind))]
internal sealed partial class InferenceRpc(
    TensorModels models, CompletionEndpoints completions, ServingState serving, ServeOptions options, RequestDispatcher door, TokenMeter meter,
    ILogger<InferenceRpc> log) : GRPCInferenceService.GRPCInferenceServiceBase
{
    public override Task<ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerLiveResponse { Live = true });

    public override Task<ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerReadyResponse { Ready = models.IsReady });

    public override Task<ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerMetadataResponse
        {
            Name = "r1-serverless", Version = StatusEndpoints.Version, Extensions = { OpenInference.ModelMetadata.Extensions },
        });

    public override async Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context)
    {
        await FindAsync(request.Name, request.Version, context);
        return new ModelReadyResponse { Ready = models.IsReady };
    }

    public override async Task<ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context)
    {
        var model = await FindAsync(request.Name, request.Version, context);
        var signature = OpenInference.ModelMetadata.Signature(model);
        return new ModelMetadataResponse
        {
            Name = model.Id, Versions = { OpenInference.ModelMetadata.Versions(model) }, Platform = OpenInference.ModelMetadata.Platform,
            Inputs = { signature.Inputs.Select(Spec) }, Outputs = { signature.Outputs.Select(Spec) },
        };
    }

    public override Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context) =>
        GuardAsync(() => InferAsync(request, context.GetHttpContext(), context.CancellationToken), context);

    public override async Task ModelStreamInfer(
        IAsyncStreamReader<ModelInferRequest> requestStream, IServerStreamWriter<ModelStreamInferResponse> responseStream, ServerCallContext context)
    {
        using InferenceStream stream = new(responseStream, (request, write) => GuardAsync(async () =>
        {
            await InferAsync(request, context.GetHttpContext(), write, context.CancellationToken);
            return true;
        }, context));
        using var noMore = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, serving.Drain);
        try
        {
            await stream.RunAsync(requestStream, noMore.Token);
        }
        catch (OperationCanceledException) when (serving.Drain.IsCancellationRequested)
        {
            throw Status(completions.NotServing);
        }
    }

    private async Task<T> GuardAsync<T>(Func<Task<T>> answer, ServerCallContext context)
    {
        try
        {
            return await answer();
        }
        catch (OperationCanceledException) when (serving.Abort.IsCancellationRequested)
        {
            throw Status(completions.NotServing);
        }
        catch (TransportException fault)
        {
            LogUnreachable(fault.Message, context.GetHttpContext().TraceIdentifier);
            throw Status(ApiError.QueueUnreachable);
        }
        catch (Exception fault)
            when (fault is not RpcException and not OperationCanceledException && !context.CancellationToken.IsCancellationRequested)
        {
            LogFailure(fault, context.GetHttpContext().TraceIdentifier);
            throw Status(ApiError.Internal(context.GetHttpContext().TraceIdentifier));
        }
    }

    public override async Task<RepositoryIndexResponse> RepositoryIndex(RepositoryIndexRequest request, ServerCallContext context) => new()
    {
        Models =
        {
            (await models.IndexAsync(request.Ready, context.CancellationToken)).Select(model => new RepositoryIndexResponse.Types.ModelIndex
            {
                Name = model.Name, Version = model.Version ?? "", State = model.State, Reason = model.Reason,
            }),
        },
    };

    public override async Task<RepositoryModelLoadResponse> RepositoryModelLoad(RepositoryModelLoadRequest request, ServerCallContext context) =>
        throw Status(await models.ControlRefusalAsync(request.ModelName, isUnload: false, context.CancellationToken));

    public override async Task<RepositoryModelUnloadResponse> RepositoryModelUnload(
        RepositoryModelUnloadRequest request, ServerCallContext context) =>
        throw Status(await models.ControlRefusalAsync(request.ModelName, isUnload: true, context.CancellationToken));

    private static ModelMetadataResponse.Types.TensorMetadata Spec(TensorSpec spec) =>
        new() { Name = spec.Name, Datatype = TensorTypes.Name(spec.Type), Shape = { spec.Shape ?? [-1] } };

    private static RpcException Status(ApiError error) => new(new Status((StatusCode)RpcCode.Of(error), error.Message));

    private async Task<ModelInferResponse> InferAsync(ModelInferRequest request, HttpContext http, CancellationToken cancellationToken)
    {
        using var entered = serving.TryEnter() ?? throw Status(completions.NotServing);
        var call = await ReadAsync(request, http, canStream: false, cancellationToken);
        ResultFold fold = new(call.Request.Id);
        await foreach (var one in RunAsync(call, http, entered.Inference, cancellationToken))
        {
            if (one is InferenceEvent.Admitted admitted) VariantHeader.Set(http.Response, admitted.Variant);
            fold.Add(one);
        }

        return Response(request, fold);
    }

    /// <summary>The same in a stream: a decoder's answer piece by piece, where that is asked for.</summary>
    private async Task InferAsync(
        ModelInferRequest request, HttpContext http, Func<ModelInferResponse, bool, Task> write, CancellationToken cancellationToken)
    {
        using var entered = serving.TryEnter() ?? throw Status(completions.NotServing);
        var call = await ReadAsync(request, http, canStream: true, cancellationToken);
        ResultFold fold = new(call.Request.Id);
        string? version = null;
        await foreach (var one in RunAsync(call, http, entered.Inference, cancellationToken))
        {
            if (one is InferenceEvent.Admitted admitted) version = admitted.Variant.Version;
            if (!call.Stream) fold.Add(one);
            else if (one is InferenceEvent.Delta piece)
                await write(RpcTensors.Response(request, version, [InferFields.TextOutput([piece.Text])]), false);
        }

        // The text has come by then: whoever stops at the last one misses none of it.
        await write(call.Stream ? RpcTensors.Response(request, version, [InferFields.TextOutput([""])]) : Response(request, fold), true);
    }

    private static ModelInferResponse Response(ModelInferRequest request, ResultFold fold)
    {
        var result = fold.Result();
        return RpcTensors.Response(request, result.Variant?.Version, InferFields.Outputs(result));
    }

    /// <summary>What happens to a call up to its end.</summary>
    /// <exception cref="RpcException">It is refused, or fails.</exception>
    private async IAsyncEnumerable<InferenceEvent> RunAsync(
        CompletionCall call, HttpContext http, IInference inference, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, serving.Abort);
        var entrance = await door.EnterAsync(call, new CallTerms(IsAsync: false, Key: null, BodyHash: ""), inference, stop.Token);
        if (entrance is not DispatchResult.Answering answering)
            throw Status(entrance is DispatchResult.Refused refused ? refused.Error : ApiError.Internal(http.TraceIdentifier));
        using var pass = answering.Pass;
        var isFinished = false;
        await foreach (var one in meter.Follow(http, answering.Run(stop.Token), answering.IsFree, stop.Token))
        {
            if (one is InferenceEvent.Failed failed) throw Status(ApiError.From(failed.Error, call.PromptField, http.TraceIdentifier));
            isFinished |= one is InferenceEvent.Finished;
            yield return one;
        }

        if (!isFinished) throw new InvalidOperationException("The engine's events ended without Finished.");
    }

    /// <exception cref="RpcException">It is no request that can be served.</exception>
    private async ValueTask<CompletionCall> ReadAsync(
        ModelInferRequest request, HttpContext http, bool canStream, CancellationToken cancellationToken)
    {
        ValidationResult faults = new();
        if (CallTermsReader.Read(http.Request, CompletionApi.Tensors, null, [], faults) is { IsAsync: true } or { Key: not null })
            throw Status(ApiError.Invalid(
                $"{CallTermsReader.KeyHeader} and {CallTermsReader.RespondAsync} are for POST /v2/models/{{model}}/infer, not for gRPC."));
        if (request.ModelVersion.Length > 0
            && (await models.FindAsync(request.ModelName, request.ModelVersion, cancellationToken)).Refusal is { } unserved)
            throw Status(unserved);
        if (RpcTensors.Read(request, out var fault) is not { } body) throw Status(ApiError.Invalid(fault!));
        InferHeaders headers = new(
            Header(http, PrecisionFields.RequestHeader), Header(http, DeadlineFields.RequestHeader), options.Precision,
            RequestIdentity.OwnerOf(http))
        { CanStream = canStream };
        var isDecoder = await models.IsDecoderAsync(request.ModelName, body.Inputs, cancellationToken);
        return InferFields.Read(body, request.ModelName, isDecoder, headers, faults)
            ?? throw Status(faults.First ?? ApiError.Invalid("The request is not understood."));
    }

    private static string? Header(HttpContext context, string name) =>
        context.Request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;

    private async ValueTask<ServedModel> FindAsync(string name, string version, ServerCallContext context)
    {
        var (model, refusal) = await models.FindAsync(name, version, context.CancellationToken);
        return model ?? throw Status(refusal!);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} failed")]
    private partial void LogFailure(Exception fault, string requestId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Request {RequestId} could not be served: {Reason}")]
    private partial void LogUnreachable(string reason, string requestId);
}
