using System.Globalization;
using R1Serverless.Abstractions.Tensors;
using R1Serverless.Api.Dispatch;
using R1Serverless.Api.OpenAI;
using R1Serverless.Api.OpenInference;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>The Open Inference Protocol v2, as KServe and Triton define it: https://github.com/kserve/open-inference-protocol and
/// https://github.com/triton-inference-server/server/tree/main/docs/protocol.</summary>
internal sealed class OpenInferenceEndpoints(TensorModels models, CompletionEndpoints completions, ServeOptions options)
{
    /// <summary>GET /v2.</summary>
    public Task ServerAsync(HttpContext context) => JsonAnswers.WriteAsync(
        context, StatusCodes.Status200OK, new TensorServerAnswer("r1-serverless", StatusEndpoints.Version, ModelMetadata.Extensions),
        WireJson.Relaxed.TensorServerAnswer);

    /// <summary>GET /v2/health/live.</summary>
    public Task LiveAsync(HttpContext context) => JsonAnswers.WriteAsync(
        context, StatusCodes.Status200OK, new TensorLiveAnswer(true), WireJson.Relaxed.TensorLiveAnswer);

    /// <summary>GET /v2/health/ready: 200 while requests are accepted, else 503.</summary>
    public Task ReadyAsync(HttpContext context) => JsonAnswers.WriteAsync(
        context, models.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, new TensorReadyAnswer(null, models.IsReady),
        WireJson.Relaxed.TensorReadyAnswer);

    /// <summary>GET /v2/models/{model}[/versions/{version}].</summary>
    public async Task ModelAsync(HttpContext context)
    {
        var (model, refusal) = await models.FindAsync(Named(context.Request, "model")!, Named(context.Request, "version"), context.RequestAborted);
        if (model is null)
        {
            await ErrorAnswers.WriteAsync(context, refusal!);
            return;
        }

        var signature = ModelMetadata.Signature(model);
        await JsonAnswers.WriteAsync(
            context, StatusCodes.Status200OK,
            new TensorModelAnswer(
                model.Id, model.Versions is [] ? null : [.. ModelMetadata.Versions(model)], ModelMetadata.Platform,
                [.. signature.Inputs.Select(Spec)], [.. signature.Outputs.Select(Spec)]),
            WireJson.Relaxed.TensorModelAnswer);
    }

    /// <summary>GET /v2/models/{model}[/versions/{version}]/ready: 200 where a request would be taken in.</summary>
    public async Task ModelReadyAsync(HttpContext context)
    {
        var (model, refusal) = await models.FindAsync(Named(context.Request, "model")!, Named(context.Request, "version"), context.RequestAborted);
        await (model is null
            ? ErrorAnswers.WriteAsync(context, refusal!)
            : JsonAnswers.WriteAsync(
            context, models.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
            new TensorReadyAnswer(model.Id, models.IsReady), WireJson.Relaxed.TensorReadyAnswer));
    }

    /// <summary>POST /v2/models/{model}[/versions/{version}]/infer.</summary>
    public Task InferAsync(HttpContext context) => completions.AnswerAsync(context, ReadAsync);

    /// <summary>POST /v2/repository/index.</summary>
    public async Task IndexAsync(HttpContext context)
    {
        ValidationResult faults = new();
        var isReadyOnly = await ReadReadyAsync(context.Request, faults);
        if (faults.First is { } fault)
        {
            await ErrorAnswers.WriteAsync(context, fault);
            return;
        }

        await JsonAnswers.WriteAsync(
            context, StatusCodes.Status200OK, await models.IndexAsync(isReadyOnly, context.RequestAborted),
            WireJson.Relaxed.IReadOnlyListListedModel);
    }

    /// <summary>POST /v2/repository/models/{model}/load.</summary>
    public async Task LoadAsync(HttpContext context) => await ErrorAnswers.WriteAsync(
        context, await models.ControlRefusalAsync(Named(context.Request, "model")!, isUnload: false, context.RequestAborted));

    /// <summary>POST /v2/repository/models/{model}/unload.</summary>
    public async Task UnloadAsync(HttpContext context) => await ErrorAnswers.WriteAsync(
        context, await models.ControlRefusalAsync(Named(context.Request, "model")!, isUnload: true, context.RequestAborted));

    /// <summary>A shape that is not even known in length is told as one free dimension: the protocol has no word for it.</summary>
    private static TensorSpecAnswer Spec(TensorSpec spec) => new(
        spec.Name, TensorTypes.Name(spec.Type), spec.Shape ?? [-1], spec.TakesImages ? ModelMetadata.ImageParameters : null);

    // A slash in a name stays encoded in the address.
    private static string? Named(HttpRequest request, string value) =>
        request.RouteValues[value] is string named ? Uri.UnescapeDataString(named) : null;

    private async ValueTask<bool> ReadReadyAsync(HttpRequest request, ValidationResult faults)
    {
        if (await RequestBytes.ReadTensorsAsync(request, options.MaxBodyBytes, faults) is not { Length: > 0 } body) return false;
        using var document = RequestBody.Parse(body, faults, isStrict: true);
        return document is not null && new RequestReader(document.RootElement, "", faults).Flag("ready") == true;
    }

    private async ValueTask<(CompletionCall Call, CallTerms Terms)?> ReadAsync(HttpRequest request, ValidationResult faults)
    {
        if (await RequestBytes.ReadTensorsAsync(request, options.MaxBodyBytes, faults) is not { } body) return null;
        var stop = request.HttpContext.RequestAborted;
        string model = Named(request, "model")!, version = Named(request, "version") ?? "";
        var jsonLength = ReadJsonLength(request, body.Length, faults);
        var terms = CallTermsReader.Read(request, CompletionApi.Tensors, $"{model} {version} {jsonLength}", body, faults);
        if (faults.First is not null) return null;
        TensorSignature? signature = null;
        if (version.Length > 0 || jsonLength == 0)
        {
            var (found, refusal) = await models.FindAsync(model, version, stop);
            if (found is null)
            {
                faults.Add(refusal!);
                return null;
            }

            signature = ModelMetadata.Signature(found);
        }

        string? fault;
        var read = jsonLength == 0 ? RawInput.Read(signature!, body, out fault) : InferBodyReader.Read(body, jsonLength, out fault);
        if (read is null)
        {
            faults.Add("inputs", fault!);
            return null;
        }

        InferHeaders headers = new(
            Header(request, PrecisionFields.RequestHeader), Header(request, DeadlineFields.RequestHeader), options.Precision,
            RequestIdentity.OwnerOf(request.HttpContext));
        var isDecoder = await models.IsDecoderAsync(model, read.Inputs, stop);
        if (InferFields.Read(read, model, isDecoder, headers, faults) is not { } call) return null;
        return (jsonLength == 0 ? call with { Infer = call.Infer! with { IsBinary = true } } : call, terms);
    }

    /// <summary>Bytes of the body that are JSON: all of them where the header does not say; 0 for none.</summary>
    private static int ReadJsonLength(HttpRequest request, int bodyLength, ValidationResult faults)
    {
        if (Header(request, TensorAnswers.JsonLengthHeader) is not { } header) return bodyLength == 0 ? NoBody(faults) : bodyLength;
        if (int.TryParse(header, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= bodyLength) return length;
        faults.Add(TensorAnswers.JsonLengthHeader,
            $"The header {TensorAnswers.JsonLengthHeader} must be the number of bytes of the body that are JSON, at most the {bodyLength} that came, "
            + $"not '{Truncated.Name(header)}'.");
        return 0;
    }

    private static int NoBody(ValidationResult faults)
    {
        faults.Add("inputs", "The body must be a JSON object.");
        return 0;
    }

    private static string? Header(HttpRequest request, string name) => request.Headers.TryGetValue(name, out var value) ? value.ToString() : null;
}
