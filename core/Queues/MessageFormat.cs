using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using R1Serverless.Abstractions;
using R1Serverless.Abstractions.Tensors;

namespace R1Serverless.Queues;

/// <summary>What queues, reply channels and the result store hold, as JSON in UTF-8: each object wrapped with the format's version. Fields that a
/// reader does not know are ignored, so that gateways and workers of neighbouring versions understand each other; another version is
/// refused. Contents of tensors and images follow the JSON as they are: see <see cref="BinaryParts"/>.</summary>
public static class MessageFormat
{
    private const int Version = 1;

    private static readonly JsonSerializerOptions Json = Options();

    public static byte[] Write(QueuedRequest request) => Write<QueuedRequest>(request);

    public static byte[] Write(InferenceResult result) => Write<InferenceResult>(result);

    public static byte[] Write(IReadOnlyList<Reply> replies) => Write<IReadOnlyList<Reply>>(replies);

    /// <exception cref="MalformedMessageException">It is no such message; the message says where.</exception>
    public static QueuedRequest ReadRequest(ReadOnlyMemory<byte> message)
    {
        var queued = Read<QueuedRequest>(message);
        if (queued.Request is not
            {
                Prompt: not null, Precision: not null, Sampling.LogitBias: not null, Stop: not null, Owner: not null,
                Model.Length: > 0, Id.Value.Length: > 0
            })
            throw new MalformedMessageException("the request lacks a field");
        return queued;
    }

    /// <inheritdoc cref="ReadRequest"/>
    public static InferenceResult ReadResult(ReadOnlyMemory<byte> message) => Read<InferenceResult>(message);

    /// <inheritdoc cref="ReadRequest"/>
    public static IReadOnlyList<Reply> ReadReplies(ReadOnlyMemory<byte> message) => Read<IReadOnlyList<Reply>>(message);

    private static JsonTypeInfo<QueueEnvelope<T>> Type<T>() => (JsonTypeInfo<QueueEnvelope<T>>)Json.GetTypeInfo(typeof(QueueEnvelope<T>));

    private static byte[] Write<T>(T body) =>
        BinaryParts.Write(() => JsonSerializer.SerializeToUtf8Bytes(new QueueEnvelope<T>(Version, body), Type<T>()));

    private static T Read<T>(ReadOnlyMemory<byte> message)
        where T : class
    {
        try
        {
            var envelope = BinaryParts.Read(message, json => JsonSerializer.Deserialize(json.Span, Type<T>()));
            if (envelope is null) throw new MalformedMessageException("the message is null");
            if (envelope.Version != Version)
                throw new MalformedMessageException($"its format is version {envelope.Version}; this build reads {Version}");
            return envelope.Body ?? throw new MalformedMessageException("the message has no body");
        }
        catch (JsonException fault)
        {
            // Its own message may quote the content.
            throw new MalformedMessageException(
                $"it is no message of this program (at byte {fault.BytePositionInLine ?? 0} of line {(fault.LineNumber ?? 0) + 1}, field "
                + $"'{fault.Path}')");
        }
        catch (NotSupportedException)
        {
            throw new MalformedMessageException("it holds a kind of prompt or event that this build does not know");
        }
    }

    /// <summary>The language of requests knows nothing of JSON: the names of its cases are given here.</summary>
    private static JsonSerializerOptions Options()
    {
        JsonSerializerOptions options = new(JsonSerializerDefaults.Web)
        {
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
            RespectNullableAnnotations = true,
            NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
            AllowOutOfOrderMetadataProperties = true,
        };
        options.Converters.Add(new RequestIdConverter());
        options.Converters.Add(new BinaryParts());
        options.Converters.Add(new JsonStringEnumConverter<WorkClass>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<ChatRole>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<DeltaKind>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<FinishReason>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<RequestOutcome>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<InferenceErrorKind>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<Precision>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<TensorType>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<TextTask>(JsonNamingPolicy.CamelCase));
        options.Converters.Add(new JsonStringEnumConverter<TextTruncation>(JsonNamingPolicy.CamelCase));
        options.TypeInfoResolver = QueueJson.Default.WithAddedModifier(Name);
        return options;
    }

    private static void Name(JsonTypeInfo type)
    {
        if (type.Type == typeof(Prompt))
        {
            type.PolymorphismOptions = new JsonPolymorphismOptions
            {
                TypeDiscriminatorPropertyName = "kind",
                DerivedTypes =
                {
                    new(typeof(Prompt.Chat), "chat"),
                    new(typeof(Prompt.Text), "text"),
                    new(typeof(Prompt.Tokens), "tokens"),
                    new(typeof(Prompt.List), "list"),
                    new(typeof(Prompt.Tensors), "tensors"),
                    new(typeof(Prompt.Texts), "texts"),
                    new(typeof(Prompt.Series), "series"),
                },
            };
        }
        else if (type.Type == typeof(InferenceEvent))
        {
            type.PolymorphismOptions = new JsonPolymorphismOptions
            {
                TypeDiscriminatorPropertyName = "event",
                DerivedTypes =
                {
                    new(typeof(InferenceEvent.Admitted), "admitted"),
                    new(typeof(InferenceEvent.Delta), "delta"),
                    new(typeof(InferenceEvent.Outputs), "outputs"),
                    new(typeof(InferenceEvent.Decided), "decided"),
                    new(typeof(InferenceEvent.ChoiceFinished), "choiceFinished"),
                    new(typeof(InferenceEvent.Finished), "finished"),
                    new(typeof(InferenceEvent.Failed), "failed"),
                },
            };
        }
    }

    private sealed class RequestIdConverter : JsonConverter<RequestId>
    {
        public override RequestId Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => new(reader.GetString() ?? "");

        public override void Write(Utf8JsonWriter writer, RequestId value, JsonSerializerOptions options) => writer.WriteStringValue(value.Value);
    }
}

/// <summary>A message can't be read; retrying would not help.</summary>
public sealed class MalformedMessageException(string reason) : Exception($"The message can't be read: {reason}.");

internal sealed record QueueEnvelope<T>(int Version, T? Body);

[JsonSerializable(typeof(QueueEnvelope<QueuedRequest>))]
[JsonSerializable(typeof(QueueEnvelope<InferenceResult>))]
[JsonSerializable(typeof(QueueEnvelope<IReadOnlyList<Reply>>))]
[JsonSerializable(typeof(Prompt.Chat))]
[JsonSerializable(typeof(Prompt.Text))]
[JsonSerializable(typeof(Prompt.Tokens))]
[JsonSerializable(typeof(Prompt.List))]
[JsonSerializable(typeof(Prompt.Tensors))]
[JsonSerializable(typeof(Prompt.Texts))]
[JsonSerializable(typeof(Prompt.Series))]
[JsonSerializable(typeof(InferenceEvent.Admitted))]
[JsonSerializable(typeof(InferenceEvent.Delta))]
[JsonSerializable(typeof(InferenceEvent.Outputs))]
[JsonSerializable(typeof(InferenceEvent.Decided))]
[JsonSerializable(typeof(InferenceEvent.ChoiceFinished))]
[JsonSerializable(typeof(InferenceEvent.Finished))]
[JsonSerializable(typeof(InferenceEvent.Failed))]
internal sealed partial class QueueJson : JsonSerializerContext;
