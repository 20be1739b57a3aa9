using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Template;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Hosting;
using R1Serverless.Queues;
using R1Serverless.Serving;
using R1Serverless.Tests.Hosting;
using R1Serverless.Tests.Triggers.Host;

namespace R1Serverless.Tests.Triggers;

/// <summary>One set of routes: what the app answers, the host lets through, and nothing else.</summary>
public sealed class FunctionRoutesTests
{
    private const string Rest = "UnmatchedRoute";

    private static readonly IReadOnlyList<FunctionDefinition> Functions = FunctionDefinition.Built;

    private static IEnumerable<FunctionDefinition> Http => Functions.Where(one => one.IsHttp);

    [Fact]
    public async Task Every_route_of_the_server_is_a_function_s_and_the_other_way_round()
    {
        await using var server = await TestServer.StartGatewayAsync(new ServeOptions { Monitoring = new MonitoringOptions { HasPage = true } });
        string[] app =
        [
            .. server.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                .Select(one => one.RoutePattern.RawText!.TrimStart('/')).Distinct(StringComparer.Ordinal)
                // A function can't be at the root but by taking everything.
                .Select(route => route.Length == 0 ? "{*path}" : route),
        ];
        Assert.NotEmpty(app);
        Assert.Equal(app.Order(StringComparer.Ordinal), Http.Select(one => one.Route).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_host_hands_every_method_on_and_leaves_keys_to_the_app()
    {
        Assert.All(Http, one => Assert.Empty(one.Methods));
        Assert.All(Http, one => Assert.Equal("Anonymous", one.Trigger.GetProperty("authLevel").GetString()));
        // These addresses are the host's own.
        Assert.All(Http, one => Assert.DoesNotMatch("^/|^(admin|runtime)", one.Route));
        Assert.All(Functions, one => Assert.Matches("^[A-Za-z][A-Za-z0-9]*$", one.Name));
    }

    [Fact]
    public void No_function_takes_what_another_is_for()
    {
        FunctionDefinition[] byName = [.. Http.OrderBy(one => one.Name, StringComparer.Ordinal)];
        foreach (var one in byName)
        {
            // An address of its own, such as v1/files/x/content.
            PathString address = "/" + string.Join('/', one.Route.Split('/').Select(part => part.StartsWith('{') ? "x" : part));
            var first = byName.First(other => new TemplateMatcher(TemplateParser.Parse(other.Route), []).TryMatch(address, []));
            Assert.Equal(one.Name, first.Name);
        }

        Assert.Equal(Rest, byName.First(other => new TemplateMatcher(TemplateParser.Parse(other.Route), []).TryMatch("/", [])).Name);
    }

    [Fact]
    public void The_triggers_watch_what_the_code_names()
    {
        FunctionDefinition[] others = [.. Functions.Where(one => !one.IsHttp)];
        Assert.Equal([("Housekeeping", "timerTrigger"), ("InferenceJobs", "queueTrigger"), ("Warmup", "warmupTrigger")],
            others.Select(one => (one.Name, one.Type)));
        Assert.Equal((IJobQueue.Name, TransportOptions.StorageVariable),
            (others[1].Trigger.GetProperty("queueName").GetString(), others[1].Trigger.GetProperty("connection").GetString()));
    }

    [Theory]
    [InlineData("r1 --host 127.0.0.1 --port 1 --functions-worker-id x", "r1")]
    [InlineData("/app/r1.dll --host 127.0.0.1 --functions-worker-id x --functions-uri http://127.0.0.1:1/", "")]
    [InlineData("--max-wait 30 /app/r1.dll --host 127.0.0.1 --functions-worker-id x", "--max-wait 30")]
    [InlineData("--functions-worker-id x --functions-uri http://127.0.0.1:1/", "")]
    [InlineData("serve --urls http://127.0.0.1:1", null)]
    [InlineData("", null)]
    public void A_command_line_of_the_host_s_is_known_and_its_own_arguments_are_left_out(string line, string? own) =>
        Assert.Equal(own?.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            FunctionsHost.Find(line.Split(' ', StringSplitOptions.RemoveEmptyEntries))?.Arguments);
}
