using R1Serverless.Abstractions;

namespace R1Serverless.Queues;

/// <summary>Where a request goes: to the workers that have its model and, where it names one, its precision.</summary>
/// <param name="Precision">Null where the request names none.</param>
public readonly record struct RequestRoute(string Model, Precision? Precision = null)
{
    /// <summary>To any worker: for requests that came when no worker was there to tell whether their model exists, and for what can't be
    /// read.</summary>
    public static RequestRoute Any { get; } = new("");

    public static RequestRoute Of(InferenceRequest request) => new(request.Model, request.Precision.Named);

    /// <summary>All requests that can be answered with these models.</summary>
    public static IReadOnlyList<RequestRoute> Of(IReadOnlyList<ServedModel> models) =>
        [.. models.SelectMany(model => model.Variants.Select(variant => (Precision?)variant.Precision).Prepend(null).Distinct()
            .Select(precision => new RequestRoute(model.Id, precision)))];
}
