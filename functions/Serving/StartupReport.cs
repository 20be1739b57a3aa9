using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Serving;

/// <summary>What the operator reads at the start. Plain lines, so that a log file or a script can read them too.</summary>
internal sealed partial class StartupReport(IServer server, ServeOptions options, TextWriter output, StartupTimeline timeline,
    ILogger<StartupReport> log) : IStartProgress
{
    private readonly Lock _gate = new();

    /// <summary>What happens before the addresses are known is told after them.</summary>
    private List<string>? _early = [];

    /// <summary>The addresses really bound, ports included; those for gRPC are the last.</summary>
    public IReadOnlyCollection<string> Addresses => [.. server.Features.Get<IServerAddressesFeature>()?.Addresses ?? []];

    public void Listening()
    {
        if (options.IsBehindHost) output.WriteLine("Behind the Azure Functions host");
        else foreach (var (number, address) in Addresses.Index())
            output.WriteLine(
                $"Listening on {address}{(number < Addresses.Count - options.GrpcUrls.Count ? "" : " for gRPC")}"
                + $"{(options.AreKeysRequired ? " (API key required)" : "")}");
        if (options.Role != ServeRole.Gateway) output.WriteLine("Loading models; /health/ready answers 200 once they are warm.");
        lock (_gate)
        {
            foreach (var line in _early ?? []) output.WriteLine(line);
            _early = null;
        }

        output.Flush();
    }

    public void Report(string value)
    {
        lock (_gate)
        {
            if (_early is { } early)
            {
                early.Add(value);
                return;
            }
        }

        output.WriteLine(value);
        output.Flush();
    }

    /// <summary>How far the start has come, for those who ask meanwhile.</summary>
    public void Mark(StartupPhase phase) => timeline.Mark(phase);

    /// <summary>What the operator should act on, into the log.</summary>
    public void Warn(string sentence) => LogWarning(sentence);

    /// <param name="queue">The transport and where it is.</param>
    public void Connected(string queue)
    {
        output.WriteLine(options.Role switch
        {
            ServeRole.Gateway => $"Gateway: requests go into the queue ({queue}) and wait there for workers.",
            ServeRole.Worker => $"Worker: processes the queue ({queue}).",
            _ => $"Durable work goes through the queue ({queue}).",
        });
        output.Flush();
    }

    /// <param name="models">What is served here, or by a gateway's workers; may be empty there.</param>
    public void Loaded(IReadOnlyList<ServedModel> models)
    {
        foreach (var model in models)
        {
            foreach (var variant in model.Variants) output.WriteLine(Line(model, variant));
        }

        output.Flush();
    }

    /// <summary>Requests are taken in. Little is done here: the first of them is already on its way.</summary>
    /// <param name="models">As in <see cref="Loaded"/>.</param>
    public void Ready(IReadOnlyList<ServedModel> models)
    {
        var lines = new StringBuilder("Since the process's start: ").AppendLine(timeline.Line);
        if (models.Count > 0 && !options.IsBehindHost && Addresses.FirstOrDefault() is { } address)
        {
            var key = options.AreKeysRequired ? " -H \"Authorization: Bearer $R1_API_KEY\"" : "";
            lines.AppendLine("Ready. Try:");
            lines.Append(models[0] is { Task: TextTask.Embed, TakesImages: false, Id: var embedder }
                ? $$"""  curl {{address}}/v1/embeddings -H "Content-Type: application/json"{{key}} -d '{"model":"{{embedder}}","input":"Hello"}'"""
                : models[0] is { Task: TextTask.Classify, TakesImages: true, Id: var classifier }
                ? $"""  curl "{address}/classify?model={Uri.EscapeDataString(classifier)}" -H "Content-Type: image/png"{key} --data-binary @picture.png"""
                : models[0].Signature is not null ? $"  curl {address}/v2/models/{models[0].Id}{key}"
                : $$"""  curl {{address}}/v1/chat/completions -H "Content-Type: application/json"{{key}} -d """
                + $$"""'{"model":"{{models[0].Id}}","messages":[{"role":"user","content":"What is 127 + 45?"}]}'""");
        }
        else
        {
            lines.Append(models.Count > 0 ? "Ready" : "Ready; no worker is there yet.");
        }

        // In one write: whoever waits for the first line asks when it comes.
        output.WriteLine(lines);
        output.Flush();
    }

    private static string Line(ServedModel model, ServedVariant variant)
    {
        var life = variant.Loaded is { } loaded
            ? string.Create(CultureInfo.InvariantCulture,
            $"{(loaded.IsPrepared ? "prepared, " : "")}loaded in {loaded.LoadTime.TotalSeconds:F2} s, warmed up in "
            + $"{loaded.WarmupTime.TotalSeconds:F2} s{(model.Signature is null && !loaded.SharesPrefixes ? ", shares no prefixes" : "")}")
            : "loaded on demand";
        return $"  {model.Id}  {PrecisionName.Of(variant.Precision)} on {model.Device}, {DisplayFormat.Bytes(variant.Bytes)}, "
            + $"{(model.Signature is { } tensors ? Describe(tensors) : $"context {model.ContextLength}")}, {life}";
    }

    private static string Describe(TensorSignature signature) =>
        signature.NotBatched is { } reason ? $"tensors, one request at a time ({reason})" : "tensors";

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Sentence}")]
    private partial void LogWarning(string sentence);
}
