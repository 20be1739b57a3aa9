using System.CommandLine;
using System.Globalization;
using R1Serverless.Hosting;

namespace R1Serverless.Commands;

/// <summary>What <c>r1 serve</c> is told about requests that wait: <c>--max-wait</c>, limits for each key, <c>--retention</c>, <c>--webhook-host</c>.</summary>
internal static class RequestLimits
{
    private static readonly ServeOptions Usual = new();

    private static readonly Option<int> MaxWait = Create(
        "--max-wait", (int)Usual.MaxWait.TotalSeconds, 1, 86_400, "SECONDS", "Requests that would wait longer for a worker are refused with 429 and the wait in Retry-After.");

    private static readonly Option<int> MaxConcurrent = Create(
        "--max-concurrent-per-key", Usual.MaxConcurrentPerKey, 1, 1_000_000, "REQUESTS", "Requests of one API key whose clients wait; beyond that they get 429.");

    private static readonly Option<int> MaxQueued = Create(
        "--max-queued-per-key", Usual.MaxQueuedPerKey, 1, 100_000_000, "REQUESTS", "Requests of one API key that wait without their clients, lines of its batches included; beyond that it gets 429.");

    private static readonly Option<int> Retention = Create(
        "--retention", (int)Usual.Retention.TotalHours, 1, 8760, "HOURS", "How long results are kept for clients to come back for.");

    private static readonly Option<string[]> WebhookHost = new("--webhook-host")
    {
        Description = $"A host that clients may have called with results, or *.DOMAIN; may be given several times. None by default. Needs a secret in {WebhookSecret.Variable}.",
        HelpName = "HOST",
    };

    public static void AddTo(Command command)
    {
        foreach (Option option in (Option[])[MaxWait, MaxConcurrent, MaxQueued, Retention, WebhookHost]) command.Options.Add(option);
    }

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
            $"Webhooks are signed: set {WebhookSecret.Variable} to whsec_ and a key of 24 to 64 bytes in base64, such as: echo whsec_$(openssl rand -base64 32)",
        _ => null,
    };

    private static Option<int> Create(string name, int usual, int least, int most, string unit, string description) => NumberOption.Bound(
        new Option<int>(name) { Description = string.Create(CultureInfo.InvariantCulture, $"{description} ({least} to {most})"), HelpName = unit, DefaultValueFactory = _ => usual }, least, most);
}
