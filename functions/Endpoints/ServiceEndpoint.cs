using System.Reflection;
using R1Serverless.Hosting;
using R1Serverless.OpenAi;

namespace R1Serverless.Endpoints;

/// <summary>GET /: what this is, in one line.</summary>
internal static class ServiceEndpoint
{
    private static readonly string Version =
        typeof(ServiceEndpoint).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public static void MapService(this IEndpointRouteBuilder routes)
    {
        Serving serving = routes.ServiceProvider.GetRequiredService<Serving>();
        ServeOptions options = routes.ServiceProvider.GetRequiredService<ServeOptions>();
        QueueConnection connection = routes.ServiceProvider.GetRequiredService<QueueConnection>();
        routes.MapRead("/", (context => JsonAnswers.WriteAsync(
            context,
            StatusCodes.Status200OK,
            new ServiceAnswer(
                "r1-serverless", Version, HealthEndpoints.Name(serving.Phase), "/v1", RoleName.Of(options.Role), options.Transport.Name, connection.Queue?.Transport.Description),
            WireJson.Relaxed.ServiceAnswer)));
    }
}
