using R1Serverless.Serving;

namespace R1Serverless.Warmup;

internal static class WarmupServices
{
    /// <summary>Requests of this process's own before anybody else's, and the report of the first token.</summary>
    public static IServiceCollection AddWarmup(this IServiceCollection services) => services
        .AddSingleton(provider => new FirstToken(
            provider.GetRequiredService<StartupTimeline>(), provider.GetRequiredService<StartupReport>(),
            provider.GetRequiredService<TimeProvider>()))
        .AddSingleton<WarmupPass>().AddSingleton<EndpointWarmup>();
}
