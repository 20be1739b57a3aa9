using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace R1Serverless.Api.OpenAI;

/// <summary>How the answers' records become JSON: snake_case, nulls written, text other than ASCII as it is.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ChatAnswer))]
[JsonSerializable(typeof(TextAnswer))]
[JsonSerializable(typeof(ResponseAnswer))]
[JsonSerializable(typeof(ResponseEvent))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(ErrorAnswer))]
[JsonSerializable(typeof(TensorErrorAnswer))]
[JsonSerializable(typeof(TensorServerAnswer))]
[JsonSerializable(typeof(TensorLiveAnswer))]
[JsonSerializable(typeof(TensorReadyAnswer))]
[JsonSerializable(typeof(TensorModelAnswer))]
[JsonSerializable(typeof(IReadOnlyList<OpenInference.ListedModel>))]
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
[JsonSerializable(typeof(TextForm))]
internal sealed partial class WireJson : JsonSerializerContext
{
    // Nothing here is ever put into HTML, so only what JSON itself demands is escaped.
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    public static WireJson Relaxed { get; } = new(new JsonSerializerOptions
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = Encoder,
    });
}
