using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using R1Serverless.Api.Rpc;
using R1Serverless.Engine.Devices;
using R1Serverless.ModelLoading;
using R1Serverless.Models;
using R1Serverless.Models.Folders;
using R1Serverless.Serving;
using R1Serverless.Tests.Api.OpenInference;
using R1Serverless.Tests.Hosting;

namespace R1Serverless.Tests.Conformance;

/// <summary>Serves graphs by the product's own server, a group at a time, and compares its answers by each protocol with ONNX Runtime's.</summary>
internal static class ConformanceRun
{
    /// <summary>Models of one server, and requests for each input of a model whose requests share runs.</summary>
    private const int Group = 160, Company = 4;

    public static async Task<ConformanceReport> RunAsync(IReadOnlyList<OnnxTestCase> cases, CancellationToken stop)
    {
        ConformanceReport report = new(cases.Count);
        List<PlainCase> group = [];
        foreach (var one in cases)
        {
            stop.ThrowIfCancellationRequested();
            if (PlainCase.Run(one, out var reason) is not { } plain)
            {
                report.LeftOut.Add((one.Name, reason!));
                // Sequences, maps and optionals: the server has to say so.
                if (reason == PlainCase.NoTensors && Refusal(one) is null) report.Differences.Add((one.Name, "start", "it is no graph of tensors, yet taken"));
                continue;
            }

            report.Expected += plain.IsExpected ? 1 : 0;
            if (Refusal(one) is { } refusal) report.Refused.Add((one.Name, refusal));
            else group.Add(plain);
            if (group.Count < Group) continue;
            await ServeAsync(group, report, stop);
            group.Clear();
        }

        if (group.Count > 0) await ServeAsync(group, report, stop);
        return report;
    }

    private static string? Refusal(OnnxTestCase one)
    {
        try
        {
            ModelFolder.Open(one.Folder);
            return null;
        }
        catch (InvalidModelException refusal)
        {
            return refusal.Message;
        }
    }

    private static async Task ServeAsync(List<PlainCase> group, ConformanceReport report, CancellationToken stop)
    {
        ServeOptions options = new()
        {
            Models = [.. group.Select(plain => plain.Case.Folder)], GrpcUrls = ["http://127.0.0.1:0"], MaxBodyBytes = 64 << 20,
            Runtime = new RuntimeOptions { Threads = 1 },
        };
        await using var server = await TestServer.StartLoadingAsync(LocalModels.LoadAsync, options);
        await server.UntilAsync(ServingPhase.Ready);
        using var channel = GrpcChannel.ForAddress(server.RpcAddress, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        ThreeProtocols protocols = new(server.Client, new GRPCInferenceService.GRPCInferenceServiceClient(channel));
        var serving = server.Services.GetRequiredService<ServingState>();
        foreach (var plain in group)
        {
            // By each protocol at the same time: where runs may be shared, they are.
            foreach (var run in plain.Runs) await CompareAsync(plain, [run], protocols, 1, report, stop);
            var model = (await serving.ListModelsAsync(stop)).First(model => model.Id == plain.Case.Name);
            if (model.Signature is not { IsBatched: true }) continue;
            report.Batched++;
            await CompareAsync(plain, plain.Runs, protocols, Company, report, stop);
        }
    }

    private static async Task CompareAsync(PlainCase plain, IReadOnlyList<PlainRun> runs, ThreeProtocols protocols, int times,
        ConformanceReport report, CancellationToken stop)
    {
        var asked =
            from run in runs
            from protocol in Enumerable.Range(0, ThreeProtocols.Names.Count)
            from _ in Enumerable.Range(0, times)
            select AskAsync(run, protocol);
        foreach (var (protocol, difference) in await Task.WhenAll(asked.ToArray())) report.Add(plain.Case.Name, protocol, difference);

        async Task<(int Protocol, string? Difference)> AskAsync(PlainRun run, int protocol)
        {
            var (outputs, fault) = await protocols.AskAsync(protocol, plain.Case.Name, run.Inputs, stop);
            if (outputs is null) return (protocol, fault);
            return (protocol, outputs.Count != run.Outputs.Count ? $"{outputs.Count} outputs instead of {run.Outputs.Count}"
                : run.Outputs.Zip(outputs).Select(pair => TensorGen.Difference(pair.First, pair.Second, isJson: protocol == 0))
                .FirstOrDefault(difference => difference is not null));
        }
    }
}

/// <param name="Graphs">That were looked at.</param>
internal sealed record ConformanceReport(int Graphs)
{
    private readonly HashSet<string>[] _served = [.. ThreeProtocols.Names.Select(_ => new HashSet<string>(StringComparer.Ordinal))];
    private readonly HashSet<string>[] _different = [.. ThreeProtocols.Names.Select(_ => new HashSet<string>(StringComparer.Ordinal))];

    /// <summary>Those that are not compared, and why.</summary>
    public List<(string Graph, string Reason)> LeftOut { get; } = [];

    /// <summary>Those that the product does not serve, and what it says of them.</summary>
    public List<(string Graph, string Reason)> Refused { get; } = [];

    /// <summary>The first difference of each graph and protocol.</summary>
    public List<(string Graph, string Protocol, string Difference)> Differences { get; } = [];

    /// <summary>Graphs of which ONNX Runtime itself gives what their files expect, within a thousandth.</summary>
    public int Expected { get; set; }

    /// <summary>Graphs whose requests share runs.</summary>
    public int Batched { get; set; }

    /// <summary>Graphs that were asked by a protocol, and those of them of which every answer had every bit.</summary>
    public (int Served, int Equal) Of(int protocol) => (_served[protocol].Count, _served[protocol].Count - _different[protocol].Count);

    public void Add(string graph, int protocol, string? difference)
    {
        _served[protocol].Add(graph);
        if (difference is not null && _different[protocol].Add(graph)) Differences.Add((graph, ThreeProtocols.Names[protocol], difference));
    }
}
