using R1Serverless.Hosting;

namespace R1Serverless.Triggers;

/// <summary>What the Functions host calls for triggers other than HTTP's, each by its function's name. Only behind the host.</summary>
internal static class TriggerRoutes
{
    public static void AddTriggers(this IServiceCollection services) =>
        services.AddSingleton<JobTrigger>().AddSingleton<HousekeepingTrigger>().AddSingleton<WarmupTrigger>();

    public static void MapTriggers(this WebApplication app)
    {
        Map("InferenceJobs", app.Services.GetRequiredService<JobTrigger>().RunAsync);
        Map("InferenceJobsServiceBus", app.Services.GetRequiredService<JobTrigger>().RunAsync);
        Map("Housekeeping", app.Services.GetRequiredService<HousekeepingTrigger>().RunAsync);
        Map("Warmup", app.Services.GetRequiredService<WarmupTrigger>().RunAsync);

        void Map(string function, RequestDelegate run) => app.MapPost($"/{function}", run).WithMetadata(HostInvocation.Mark);
    }
}
