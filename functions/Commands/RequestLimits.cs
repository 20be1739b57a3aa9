using System.CommandLine;
using R1Serverless.Api.Webhooks;
using R1Serverless.Serving;

namespace R1Serverless.Commands;

/// <summary>What <c>r1 serve</c> is told about requests that wait: <c>--max-wait</c>, limits for each key, <c>--retention</c>,
/// <c>--webhook-host</c>.</summary>
internal static class RequestLimits
{
    private static readonly ServeOptions Usual = new();

    private static readonly Option<int> MaxWait = NumberOption.Create(
        "--max-wait", (int)Usual.MaxWait.TotalSeconds, 1, 86_400,
        "Requests that would wait longer for a worker are refused with 429 and the wait in Retry-After.", "SECONDS");

    private static readonly Option<int> MaxConcurrent = NumberOption.Create(
        "--max-concurrent-per-key", Usual.MaxConcurrentPerKey, 1, 1_000_000,
        "Requests of one API key whose clients wait; beyond that they get 429.", "REQUESTS");

    private static readonly Option<int> MaxQueued = NumberOption.Create(
        "--max-queued-per-key", Usual.MaxQueuedPerKey, 1, 100_000_000,
        "Requests of one API key that wait without their clients, lines of its batches included; beyond that it gets 429.", "REQUESTS");

    private static readonly Option<int> Retention = NumberOption.Create(
        "--retention", (int)Usual.Retention.TotalHours, 1, 8760, "How long results are kept for clients to come back for.", "HOURS");

    private static readonly Option<string[]> WebhookHost = new("--webhook-host")
    {
        Description =
            "A host that clients may have called with results, or *.DOMAIN; may be given several times. None by default. Needs a secret in "
            + $"{WebhookSecret.Variable}.",
        HelpName = "HOST",
    };

    public static IReadOnlyList<Option> All { get; } = [MaxWait, MaxConcurrent, MaxQueued, Retention, WebhookHost];

    public static ServeOptions Read(ParseResult arguments, ServeOptions options) => options with
    {
        MaxWait = TimeSpan.FromSeconds(arguments.GetValue(MaxWait)),
        MaxConcurrentPerKey = arguments.GetValue(MaxConcurrent),
        MaxQueuedPerKey = arguments.GetValue(MaxQueued),
        Retention = TimeSpan.FromHours(arguments.GetValue(Retention)),
        WebhookHosts = arguments.GetValue(WebhookHost) ?? [],
        WebhookSecret = WebhookSecret.Parse(Environment.GetEnvironmentVariable(WebhookSecret.Variable) ?? ""),
    };

    /// <summary>Why these options make no sense, and what to do; null where they do.</summary>
    public static string? Refusal(ServeOptions options) => options switch
    {
        _ when options.WebhookHosts.FirstOrDefault(host => !WebhookHosts.IsHost(host)) is { } wrong =>
            $"--webhook-host {wrong}: give a host's name, such as hooks.example.com, or *.example.com, without scheme, port and path.",
        { WebhookHosts.Count: > 0, WebhookSecret: null } =>
            $"Webhooks are signed: set {WebhookSecret.Variable} to whsec_ and a key of 24 to 64 bytes in base64, such as: echo whsec_$(openssl rand "
            + "-base64 32)",
        _ => null,
    };
}
