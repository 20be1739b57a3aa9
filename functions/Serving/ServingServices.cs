using R1Serverless.Queues.Batches;

namespace R1Serverless.Serving;

internal static class ServingServices
{
    /// <summary>What this process was told, what it serves, and its way to the queue.</summary>
    /// <param name="output">Where the operator reads of the start.</param>
    public static IServiceCollection AddServing(this IServiceCollection services, ServeOptions options, TimeProvider time, TextWriter output) =>
        services
            .AddSingleton(options).AddSingleton(time).AddSingleton<ServingState>().AddSingleton(new StartupTimeline(time))
            .AddSingleton(provider => ActivatorUtilities.CreateInstance<StartupReport>(provider, output))
            .AddSingleton<QueueConnection>().AddSingleton<BatchStore>().AddSingleton(new BatchLimits { LineBytes = options.MaxBodyBytes });
}
