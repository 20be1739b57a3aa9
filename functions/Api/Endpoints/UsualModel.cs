using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;
using R1Serverless.Serving;

namespace R1Serverless.Api.Endpoints;

/// <summary>The model of calls that name none, as text-embeddings-inference, which serves one, has no field for it: the only one here for the
/// task.</summary>
internal static class UsualModel
{
    /// <summary>How many are named where one has to be chosen.</summary>
    private const int MostNamed = 5;

    /// <returns>Null where the call names a model, or there is none or more than one for it, which then is the fault.</returns>
    public static async ValueTask<string?> FindAsync(CompletionApi api, ReadOnlyMemory<byte> body, ServingState serving, ValidationResult faults,
        CancellationToken cancellationToken)
    {
        if (Task(api) is not { } task || NamesModel(body.Span)) return null;
        return await FindAsync(model => model.Task == task, task == TextTask.Rank ? "rank" : "classify", serving, faults, cancellationToken);
    }

    /// <summary>The only one that classifies images.</summary>
    public static ValueTask<string?> FindForImagesAsync(ServingState serving, ValidationResult faults, CancellationToken cancellationToken) =>
        FindAsync(model => model is { Task: TextTask.Classify, TakesImages: true }, "classify images", serving, faults, cancellationToken);

    /// <param name="does">What the models that are meant do.</param>
    private static async ValueTask<string?> FindAsync(Func<ServedModel, bool> isMeant, string does, ServingState serving, ValidationResult faults,
        CancellationToken cancellationToken)
    {
        var models = (await serving.ListModelsAsync(cancellationToken)).Where(isMeant).Select(model => model.Id).Distinct().ToArray();
        if (models.Length > 1)
            faults.Add("model", $"'model' is needed here, as {models.Length} models {does}: "
                + $"{string.Join(", ", models.Take(MostNamed).Select(Truncated.Name))}{(models.Length > MostNamed ? ", …" : "")}.",
                "missing_required_parameter");
        return models is [var only] ? only : null;
    }

    private static TextTask? Task(CompletionApi api) => api switch
    {
        CompletionApi.Rank => TextTask.Rank,
        CompletionApi.Classify => TextTask.Classify,
        _ => null,
    };

    /// <summary>Also where it is no JSON, which is told when it is read.</summary>
    private static bool NamesModel(ReadOnlySpan<byte> body)
    {
        Utf8JsonReader reader = new(body, new JsonReaderOptions { MaxDepth = RequestBody.MaxDepth });
        try
        {
            while (reader.Read())
            {
                if (reader.CurrentDepth == 1 && reader.TokenType == JsonTokenType.PropertyName && reader.ValueTextEquals("model"u8))
                    return reader.Read() && reader.TokenType != JsonTokenType.Null;
            }

            return false;
        }
        catch (JsonException)
        {
            return true;
        }
    }
}
