using System.Diagnostics.CodeAnalysis;
using Azure;
using Azure.Core;
using Azure.Core.Pipeline;

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>Stands between the client library and the network, and lets a test answer, break or note a call.</summary>
/// <param name="before">What to do instead of the call; null lets it through.</param>
/// <param name="after">What to do once the service has answered; may throw as if the answer were lost.</param>
/// <param name="hangs">Which calls get no answer, for as long as they are waited for.</param>
internal sealed class FaultyHttp(Func<Request, Response?>? before = null, Action<HttpMessage>? after = null, Func<Request, bool>? hangs = null)
    : HttpPipelineTransport
{
    private readonly HttpClientTransport network = new();

    public override Request CreateRequest() => network.CreateRequest();

    public override void Process(HttpMessage message) => throw new InvalidOperationException("Every call is asynchronous.");

    public override async ValueTask ProcessAsync(HttpMessage message)
    {
        if (before?.Invoke(message.Request) is { } answer)
        {
            message.Response = answer;
            return;
        }

        if (hangs?.Invoke(message.Request) == true) await Task.Delay(Timeout.Infinite, message.CancellationToken);
        await network.ProcessAsync(message);
        after?.Invoke(message);
    }
}

/// <summary>A refusal as Azure Storage words it.</summary>
internal sealed class Refusal(int status, string code) : Response
{
    public override int Status => status;

    public override string ReasonPhrase => code;

    public override Stream? ContentStream { get; set; } = new MemoryStream();

    public override string ClientRequestId { get; set; } = "";

    public override void Dispose()
    {
    }

    protected override bool ContainsHeader(string name) => TryGetHeader(name, out _);

    protected override IEnumerable<HttpHeader> EnumerateHeaders() => [new HttpHeader("x-ms-error-code", code)];

    protected override bool TryGetHeader(string name, [NotNullWhen(true)] out string? value)
    {
        value = name.Equals("x-ms-error-code", StringComparison.OrdinalIgnoreCase) ? code : null;
        return value is not null;
    }

    protected override bool TryGetHeaderValues(string name, [NotNullWhen(true)] out IEnumerable<string>? values)
    {
        values = TryGetHeader(name, out var value) ? [value] : null;
        return values is not null;
    }
}
