using R1Serverless.Hosting;
using R1Serverless.Monitoring;

namespace R1Serverless.Endpoints;

internal static class MetricsRoute
{
    public static void MapMetrics(this IEndpointRouteBuilder routes)
    {
        if (!routes.ServiceProvider.GetRequiredService<ServeOptions>().Monitoring.HasPage) return;
        routes.MapRead(MetricsPage.Path, routes.ServiceProvider.GetRequiredService<MonitoringStart>().WritePageAsync);
    }
}
