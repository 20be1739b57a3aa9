using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Triggers;

/// <summary>One set of routes: what the app answers, the host lets through, and nothing else.</summary>
public sealed class FunctionRoutesTests
{
    private static readonly IReadOnlyList<FunctionFile> Functions = FunctionFile.In(RepositoryFiles.Path("functions", "Triggers"));

    [Fact]
    public async Task Every_route_of_a_function_is_one_of_the_app_and_the_other_way_round()
    {
        await using TestServer server = await TestServer.StartGatewayAsync();
        string[] app =
        [
            .. from endpoint in server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
               // The host asks for it, and gives outsiders a page of its own there.
               where endpoint.RoutePattern.RawText != "/"
               from method in endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods
               select $"{method} {endpoint.RoutePattern.RawText!.TrimStart('/')}",
        ];
        string[] host = [.. from function in Functions where function.IsHttp from method in function.Methods select $"{method} {function.Route}"];
        Assert.NotEmpty(host);
        Assert.Equal(app.Order(StringComparer.Ordinal), host.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_host_takes_them_as_they_are()
    {
        FunctionFile[] http = [.. Functions.Where(one => one.IsHttp)];
        // The app's own keys protect them; only one request in and one answer out are proxied.
        Assert.All(http, one => Assert.Equal(("anonymous", "http"), (one.Trigger.GetProperty("authLevel").GetString(), one.Outputs.Single())));
        // The host's own.
        Assert.All(http, one => Assert.DoesNotMatch("^/|^(admin|runtime)|^$", one.Route));
        Assert.All(Functions, one => Assert.Matches("^[A-Za-z][A-Za-z0-9]*$", one.Name));
    }
}
