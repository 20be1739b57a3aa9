using System.Text;
using System.Text.Json;
using R1Serverless.Queues.Batches;

namespace R1Serverless.Queues.Jobs;

/// <summary>What a producer drops: one request, <c>{"id"?, "custom_id"?, "endpoint"?, "body": {…}, "output"?}</c>, or a file of them, <c>{"id"?,
/// "input": "files/…" or "jobs/…", "endpoint", "output"?}</c>. Both may have <c>"completion_window"</c>, as 2h or 30m.</summary>
/// <param name="Id">Names the job and its results; null takes the message's own.</param>
/// <param name="Line">The line of a batch that an inline request is; null where there is a file.</param>
/// <param name="Input">The object that holds the lines; null where the request is inline.</param>
internal sealed record JobMessage(string? Id, byte[]? Line, string? Input, string Endpoint, string? Output, TimeSpan Window)
{
    private const string FilesFolder = "files/", JobsFolder = "jobs/";

    private static readonly TimeSpan LongestWindow = TimeSpan.FromHours(24);

    private static readonly string[] Fields = ["id", "custom_id", "endpoint", "body", "input", "output", "completion_window"];

    /// <summary>The job in a message, which may begin with a byte order mark; or null with the reason why it is none.</summary>
    public static JobMessage? Read(ReadOnlyMemory<byte> message, IBatchApi api, out string reason)
    {
        if (message.Span.StartsWith(Encoding.UTF8.Preamble)) message = message[Encoding.UTF8.Preamble.Length..];
        try
        {
            using var document = JsonDocument.Parse(message);
            return Read(document.RootElement, api, out reason);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            reason = "the message is not valid JSON";
            return null;
        }
    }

    private static JobMessage? Read(JsonElement root, IBatchApi api, out string reason)
    {
        reason = Fault(root, api);
        if (reason.Length > 0) return null;
        var input = Text(root, "input");
        var endpoint = Text(root, "endpoint") ?? api.EndpointOf(root.GetProperty("body"));
        if (input is not null && input.StartsWith(FilesFolder, StringComparison.Ordinal)) input = FileStore.Content(input[FilesFolder.Length..]);
        return new JobMessage(Text(root, "id"), input is null ? LineOf(root, endpoint) : null, input, endpoint, Text(root, "output"),
            ParseWindow(Text(root, "completion_window"))!.Value);
    }

    /// <summary>"" where there is none.</summary>
    private static string Fault(JsonElement root, IBatchApi api)
    {
        if (root.ValueKind != JsonValueKind.Object) return "the message must be a JSON object";
        foreach (var field in root.EnumerateObject())
        {
            if (field.Value.ValueKind == JsonValueKind.Null) continue;
            if (!Fields.Contains(field.Name)) return $"unknown field; those known are {string.Join(", ", Fields)}";
            if (field.Name != "body" && field.Value.ValueKind != JsonValueKind.String)
                return $"'{field.Name}' must be a string";
        }

        var hasBody = root.TryGetProperty("body", out var body) && body.ValueKind != JsonValueKind.Null;
        var input = Text(root, "input");
        if (hasBody == input is not null) return "the message must have either 'body' (one request) or 'input' (a file of them)";
        if (hasBody && body.ValueKind != JsonValueKind.Object) return "'body' must be an object";
        if (Text(root, "id") is { } id && !StoreId.IsPossible(id)) return "'id' must be 1 to 100 letters, digits, '-' and '_'";
        if (input is not null && !IsInput(input)) return "'input' must name a file, as files/ID, or an object below jobs/";
        if (Text(root, "output") is { } output && !(output.StartsWith(JobsFolder, StringComparison.Ordinal) && IsName(output)))
            return "'output' must name an object below jobs/";
        var endpoint = Text(root, "endpoint");
        if (endpoint is null ? input is not null : !api.IsEndpoint(endpoint))
            return $"'endpoint' must be {api.Endpoints}";
        return ParseWindow(Text(root, "completion_window")) is null ? "'completion_window' must be whole hours or minutes, up to 24h" : "";
    }

    private static bool IsInput(string name) => name.StartsWith(FilesFolder, StringComparison.Ordinal)
        ? StoreId.IsPossible(name[FilesFolder.Length..])
        : name.StartsWith(JobsFolder, StringComparison.Ordinal) && IsName(name);

    private static bool IsName(string name) => name.Length <= 512 && name.Split('/').All(part =>
        part.Length is > 0 and <= 120 && part[0] != '.' && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.'));

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static TimeSpan? ParseWindow(string? text)
    {
        if (text is null) return LongestWindow;
        if (text.Length is < 2 or > 6 || !int.TryParse(text.AsSpan(0, text.Length - 1), System.Globalization.NumberStyles.None, null, out var count)
            || count < 1) return null;
        TimeSpan? window = text[^1] switch { 'h' => TimeSpan.FromHours(count), 'm' => TimeSpan.FromMinutes(count), _ => null };
        return window <= LongestWindow ? window : null;
    }

    private static byte[] LineOf(JsonElement root, string endpoint)
    {
        using MemoryStream line = new();
        using (Utf8JsonWriter writer = new(line))
        {
            writer.WriteStartObject();
            writer.WriteString("custom_id", Text(root, "custom_id") ?? Text(root, "id") ?? "job");
            writer.WriteString("method", "POST");
            writer.WriteString("url", endpoint);
            writer.WritePropertyName("body");
            root.GetProperty("body").WriteTo(writer);
            writer.WriteEndObject();
        }

        return line.ToArray();
    }
}
