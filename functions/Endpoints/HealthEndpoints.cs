using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Endpoints;

/// <summary>GET /health/live: the process answers. GET /health/ready: 200 while requests are accepted, else 503 with the phase.</summary>
internal static class HealthEndpoints
{
    private const string RetryAfterSeconds = "1";

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        Serving serving = routes.ServiceProvider.GetRequiredService<Serving>();
        QueueConnection connection = routes.ServiceProvider.GetRequiredService<QueueConnection>();
        StartupTimeline timeline = routes.ServiceProvider.GetRequiredService<StartupTimeline>();
        bool isGateway = routes.ServiceProvider.GetRequiredService<ServeOptions>().Role == ServeRole.Gateway;
        routes.MapRead("/health/live", (context =>
            JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, new HealthAnswer("live", [], null, null), WireJson.Relaxed.HealthAnswer)));
        routes.MapRead("/health/ready", (async context =>
        {
            ServingPhase phase = serving.Phase;
            bool ready = phase == ServingPhase.Ready;
            IReadOnlyList<ServedModel> models = await serving.ListModelsAsync(context.RequestAborted);
            int? workers = isGateway && connection.Queue is { } queue ? (await queue.Workers.ListAsync(context.RequestAborted)).Count : null;
            if (!ready) context.Response.Headers.RetryAfter = RetryAfterSeconds;
            await JsonAnswers.WriteAsync(
                context,
                ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
                new HealthAnswer(Name(phase), [.. models.SelectMany(Health)], workers, timeline.Reached.ToDictionary(one => one.Phase, one => Math.Round(one.Seconds, 3), StringComparer.Ordinal)),
                WireJson.Relaxed.HealthAnswer);
        }));
    }

    public static string Name(ServingPhase phase) => phase switch
    {
        ServingPhase.Loading => "loading",
        ServingPhase.Ready => "ready",
        _ => "draining",
    };

    private static IEnumerable<ModelHealth> Health(ServedModel model) =>
        model.Variants.SelectMany(variant => variant.Loaded is { } loaded
            ? [new ModelHealth(model.Id, PrecisionName.Of(variant.Precision), loaded.Running, loaded.Waiting)]
            : Array.Empty<ModelHealth>());
}
