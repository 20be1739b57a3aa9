using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenInference;

namespace R1Serverless.Api.OpenAI;

/// <summary>One line of a batch's input: <c>{"custom_id", "method": "POST", "url", "body"}</c>.</summary>
/// <param name="Url">A path that <see cref="CompletionPaths.Find"/> knows.</param>
/// <param name="Body">The request itself, not yet looked into; valid as long as the line's document is.</param>
internal sealed record BatchRequest(string CustomId, string Url, JsonElement Body)
{
    private const int LongestId = 512;

    private static readonly KnownFields Fields = new(["custom_id", "method", "url", "body"], [], []);

    /// <summary>The line's JSON (the caller disposes it), or null with the fault noted.</summary>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> line, ValidationResult faults)
    {
        ValidationResult parsing = new();
        var document = RequestBody.Parse(line, parsing);
        if (parsing.First is { } fault)
            faults.Add(null, fault.Message.Replace("The body", "The line", StringComparison.Ordinal), "invalid_json_line");
        return document;
    }

    /// <summary>The line, or null with the first fault noted. A fault within the body is not looked for.</summary>
    /// <param name="endpoint">The path that the line must name; null allows each of them.</param>
    public static BatchRequest? Read(JsonElement line, string? endpoint, ValidationResult faults)
    {
        RequestReader reader = new(line, "", faults);
        Fields.Check(reader);
        var id = ReadText(reader, "custom_id");
        if (id is { Length: 0 or > LongestId }) faults.Add("custom_id", $"'custom_id' must have 1 to {LongestId} characters.", "invalid_custom_id");
        if (ReadText(reader, "method") is { } method && method != "POST") faults.Add("method", "'method' must be \"POST\".", "invalid_method");
        var url = ReadText(reader, "url");
        if (url is not null && endpoint is not null && url != endpoint)
            faults.Add("url", $"'url' must be the batch's endpoint, {endpoint}, not {Truncated.Name(url)}.", "invalid_url");
        if (url is not null && CompletionPaths.Find(url) is null)
            faults.Add("url", $"'url' must be {CompletionPaths.OfBatches}.", "invalid_url");
        var body = reader.Required("body");
        if (body is { } given) reader.ObjectOf(given, "body");
        return faults.First is null ? new BatchRequest(id!, url!, body!.Value) : null;
    }

    /// <summary>What is to be run, or null with the first fault noted; its fields are named as the body's own.</summary>
    /// <param name="id">What the request is called.</param>
    /// <param name="usualPrecision">For bodies that name none; null leaves it to the measurements.</param>
    public InferenceRequest? Request(RequestId id, Precision? usualPrecision, ValidationResult faults)
    {
        var read = CompletionPaths.InferModel(Url) is { } model ? ReadTensors(model, usualPrecision, faults)
            : CompletionCall.Read(CompletionPaths.Find(Url)!.Value, Body, faults, precisionHeader: null, usualPrecision);
        if (read is not { } call) return null;
        if (call.Texts?.IsBase64 == true)
        {
            faults.Add("encoding_format", "'encoding_format' must be \"float\" in a batch.", "unsupported_parameter");
            return null;
        }

        if (call is { Stream: false, Webhook: null }) return call.Request with { Id = id };
        if (call.Stream) faults.Add("stream", "'stream' can't be true in a batch: the answer is a line of its output.", "unsupported_parameter");
        else faults.Add("webhook", "'webhook' can't be given in a batch: the answer is a line of its output.", "unsupported_parameter");
        return null;
    }

    private CompletionCall? ReadTensors(string model, Precision? usualPrecision, ValidationResult faults)
    {
        var text = Encoding.UTF8.GetBytes(Body.GetRawText());
        if (InferBodyReader.Read(text, text.Length, out var fault) is { } read)
            return InferFields.Read(read, model, isDecoder: false, new InferHeaders(null, null, usualPrecision, ""), faults);
        faults.Add("inputs", fault!);
        return null;
    }

    private static string? ReadText(RequestReader reader, string name) => reader.Required(name) is { } value ? reader.TextOf(value, name) : null;
}
