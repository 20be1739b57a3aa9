using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.OpenAi;

/// <summary>How the answers' records become JSON: snake_case, nulls written, text other than ASCII as it is.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ChatAnswer))]
[JsonSerializable(typeof(TextAnswer))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(HealthAnswer))]
[JsonSerializable(typeof(ServiceAnswer))]
[JsonSerializable(typeof(BatchLineWire))]
[JsonSerializable(typeof(BatchWire))]
[JsonSerializable(typeof(ListWire<BatchWire>))]
[JsonSerializable(typeof(FileWire))]
[JsonSerializable(typeof(ListWire<FileWire>))]
[JsonSerializable(typeof(DeletedWire))]
[JsonSerializable(typeof(RequestAnswer))]
[JsonSerializable(typeof(WebhookBody))]
internal sealed partial class WireJson : JsonSerializerContext
{
    // Nothing here is ever put into HTML, so only what JSON itself demands is escaped.
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    public static WireJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = Encoder,
    });
}
