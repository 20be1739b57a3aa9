using R1Serverless.Hosting;
using R1Serverless.OpenAi;
using R1Serverless.Queues;
using R1Serverless.Requests;

namespace R1Serverless.Endpoints;

/// <summary>GET /v1/models and /v1/models/{id}; an id may have slashes.</summary>
internal static class ModelEndpoints
{
    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        Serving serving = routes.ServiceProvider.GetRequiredService<Serving>();
        routes.MapRead("/v1/models", (async context =>
        {
            IReadOnlyList<ServedModel> models = await serving.ListModelsAsync(context.RequestAborted);
            await JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, new ModelList("list", [.. models.Select(Entry)]), WireJson.Relaxed.ModelList);
        }));
        routes.MapRead("/v1/models/{*id}", (async context =>
        {
            string id = context.GetRouteValue("id") as string ?? "";
            ServedModel? model = (await serving.ListModelsAsync(context.RequestAborted)).FirstOrDefault(one => one.Id == id);
            await (model is null
                ? ErrorAnswers.WriteAsync(context, ApiError.ModelNotFound(id))
                : JsonAnswers.WriteAsync(context, StatusCodes.Status200OK, Entry(model), WireJson.Relaxed.ModelEntry));
        }));
    }

    private static ModelEntry Entry(ServedModel model) => new(
        model.Id, "model", model.Created.ToUnixTimeSeconds(), model.OwnedBy, model.ContextLength, model.Device, [.. model.Variants.Select(Entry)],
        model.Versions is [] ? null : [.. model.Versions.Select(one => new ModelVersionEntry(one.Version, VersionStateName.Of(one.State), one.Reason, one.Workers))]);

    private static ModelVariantEntry Entry(ServedVariant variant) => new(
        PrecisionName.Of(variant.Precision), variant.Bytes, variant.Loaded is not null, variant.Evaluation is { } measured
            ? new VariantEvaluationEntry(measured.Accuracy, measured.AccuracyDrop, measured.IsWithinTolerance, measured.TokensPerSecond)
            : null);
}
