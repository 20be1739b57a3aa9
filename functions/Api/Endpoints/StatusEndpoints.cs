using System.Reflection;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Queues;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>What this process is, whether it is ready, and which models it serves.</summary>
internal sealed class StatusEndpoints(ServingState serving, QueueConnection connection, StartupTimeline timeline, ServeOptions options)
{
    private const string RetryAfterSeconds = "1";

    public static readonly string Version =
        typeof(StatusEndpoints).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    /// <summary>GET /: what this is, in one line.</summary>
    public Task ServiceAsync(HttpContext context) => JsonAnswers.WriteAsync(
        context, StatusCodes.Status200OK,
        new ServiceAnswer(
            "r1-serverless", Version, Name(serving.Phase), "/v1", RoleName.Of(options.Role), options.Transport.Name,
            connection.Queue?.Transport.Description),
        WireJson.Relaxed.ServiceAnswer);

    /// <summary>GET /health/live: the process answers.</summary>
    public Task LiveAsync(HttpContext context) =>
        JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, new HealthAnswer("live", [], null, null), WireJson.Relaxed.HealthAnswer);

    /// <summary>GET /health/ready: 200 while requests are accepted, else 503 with the phase.</summary>
    public async Task ReadyAsync(HttpContext context)
    {
        var phase = serving.Phase;
        var isReady = phase == ServingPhase.Ready;
        // Every gateway reads the same store: a moment without it must not take all of them from the load balancer.
        var workers = options.Role == ServeRole.Gateway && connection.Queue is { } queue
            ? await queue.Workers.ListKnownAsync(context.RequestAborted) : null;
        var models = workers is null ? await serving.ListModelsAsync(context.RequestAborted) : ModelListing.Of(workers);
        var started = timeline.Reached.ToDictionary(one => one.Phase, one => Math.Round(one.Seconds, 3), StringComparer.Ordinal);
        if (!isReady) context.Response.Headers.RetryAfter = RetryAfterSeconds;
        await JsonAnswers.WriteAsync(
            context, isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
            new HealthAnswer(Name(phase), [.. models.SelectMany(Health)], workers?.Count, started), WireJson.Relaxed.HealthAnswer);
    }

    /// <summary>GET /v1/models.</summary>
    public async Task ModelsAsync(HttpContext context) => await JsonAnswers.WriteAsync(
        context, StatusCodes.Status200OK, new ModelList("list", [.. (await serving.ListModelsAsync(context.RequestAborted)).Select(Entry)]),
        WireJson.Relaxed.ModelList);

    /// <summary>GET /v1/models/{id}.</summary>
    public async Task ModelAsync(HttpContext context)
    {
        var id = context.GetRouteValue("id") as string ?? "";
        var model = (await serving.ListModelsAsync(context.RequestAborted)).FirstOrDefault(one => one.Id == id);
        await (model is null
            ? ErrorAnswers.WriteAsync(context, ApiError.ModelNotFound(id))
            : JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, Entry(model), WireJson.Relaxed.ModelEntry));
    }

    private static string Name(ServingPhase phase) => phase.ToString().ToLowerInvariant();

    private static IEnumerable<ModelHealth> Health(ServedModel model) =>
        model.Variants.Where(variant => variant.Loaded is not null).Select(variant =>
            new ModelHealth(model.Id, PrecisionName.Of(variant.Precision), variant.Loaded!.Running, variant.Loaded.Waiting));

    private static ModelEntry Entry(ServedModel model) => new(
        model.Id, "model", model.Created.ToUnixTimeSeconds(), model.OwnedBy, Task(model), model.ContextLength > 0 ? model.ContextLength : null,
        model.Device,
        [.. model.Variants.Select(variant => Entry(model, variant))],
        model.Versions is [] ? null
        : [.. model.Versions.Select(one => new ModelVersionEntry(one.Version, VersionStateName.Of(one.State), one.Reason, one.Workers))]);

    private static string Task(ServedModel model) =>
        model.Signature is null ? "generate" : model.Task is { } task ? $"{task}".ToLowerInvariant() : model.IsSeries ? "series" : "tensors";

    private static ModelVariantEntry Entry(ServedModel model, ServedVariant variant) => new(
        PrecisionName.Of(variant.Precision), variant.Bytes, variant.Loaded is not null, variant.Evaluation is { } measured
            ? new VariantEvaluationEntry(measured.Accuracy, measured.AccuracyDrop, measured.IsWithinTolerance, measured.TokensPerSecond)
            : null,
        model.Signature is null ? variant.Loaded?.SharesPrefixes : null);
}
