using R1Serverless.Abstractions;
using R1Serverless.Queues;
using R1Serverless.Queues.Worker;

namespace R1Serverless.Tests;

/// <summary>Queues as a worker of the model <c>m</c> sees them, which most tests ask for.</summary>
internal static class LeaseExtensions
{
    private static readonly RequestRoute[] Routes = [new("m")];

    public static ServedRoutes Served { get; } = new(() => Routes, TimeProvider.System);

    /// <summary>A model with one variant.</summary>
    public static ServedModel Model(string id, Precision precision = Precision.Fp32) => new()
    {
        Id = id, Created = DateTimeOffset.UnixEpoch, OwnedBy = "r1serverless", ContextLength = 128, Device = "cpu",
        Variants = [new ServedVariant(precision, 9, null, null)],
    };

    public static ValueTask<IReadOnlyList<Lease>> LeaseAsync(
        this IRequestQueue queue, WorkClass workClass, int most, TimeSpan patience, CancellationToken cancellationToken) =>
        queue.LeaseAsync(workClass, Routes, most, patience, cancellationToken);
}
