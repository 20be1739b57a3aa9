using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Hosting;
using R1Serverless.Queues;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Triggers;

/// <summary>One set of routes: what the app answers, the host lets through, and nothing else.</summary>
public sealed class FunctionRoutesTests
{
    private static readonly IReadOnlyList<FunctionFile> Functions = FunctionFile.In(RepositoryFiles.Path("functions", "Triggers"));

    [Fact]
    public async Task Every_route_of_a_function_is_one_of_the_app_and_the_other_way_round()
    {
        await using TestServer server = await TestServer.StartGatewayAsync(new ServeOptions { IsBehindHost = true });
        string[] app =
        [
            .. from endpoint in server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
               // The host asks for it, and gives outsiders a page of its own there.
               where endpoint.RoutePattern.RawText != "/"
               from method in endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods
               select $"{method} {endpoint.RoutePattern.RawText!.TrimStart('/')}",
        ];
        string[] host =
        [
            .. from function in Functions where function.IsHttp from method in function.Methods select $"{method} {function.Route}",
            .. from function in Functions where !function.IsHttp select $"POST {function.Name}",
        ];
        Assert.NotEmpty(host);
        Assert.Equal(app.Order(StringComparer.Ordinal), host.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_triggers_watch_what_the_code_names_and_their_connections_are_not_its_own_settings()
    {
        FunctionFile[] queues = [.. Functions.Where(one => one.Type is "queueTrigger" or "serviceBusTrigger")];
        Assert.Equal(2, queues.Length);
        Assert.All(queues, one => Assert.Equal(IJobQueue.Name, one.Trigger.GetProperty("queueName").GetString()));
        // A plain value under a connection's name would be taken for a connection string.
        string[] settings = [TransportOptions.KindVariable, TransportOptions.StorageVariable, TransportOptions.ServiceBusVariable];
        Assert.All(queues, one => Assert.DoesNotContain(one.Trigger.GetProperty("connection").GetString()!, settings));
        Assert.Equal(["Housekeeping", "Warmup"], Functions.Where(one => one.Type is "timerTrigger" or "warmupTrigger").Select(one => one.Name));
    }

    [Fact]
    public void No_route_lets_anybody_in_to_what_only_the_host_calls()
    {
        using HostFront front = new(Functions, new SocketsHttpHandler());
        foreach (FunctionFile function in Functions.Where(one => !one.IsHttp))
        {
            string name = function.Name;
            string[] paths = [$"/{name}", $"/{name.ToLowerInvariant()}", $"/{name}/", $"//{name}", $"/%{(int)name[0]:x2}{name[1..]}", $"/v1/../{name}", $"/v1/models/../../{name}", $"/v1/models/..%2f..%2f{name}"];
            foreach (string path in paths)
            {
                // As clients of HTTP write it: dots are theirs to resolve.
                string sent = new Uri($"http://host{path}").AbsolutePath;
                Assert.Null(front.Find(HttpMethod.Post, sent));
            }
        }
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
