using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using R1Serverless.Abstractions;
using R1Serverless.Api.OpenAI;

namespace R1Serverless.Client;

/// <summary>Reads one answer's server-sent events: what <see cref="ChunkWriter"/> writes, the other way round.</summary>
internal sealed class ChunkReader
{
    private Usage _usage = new(0, 0, 0);

    /// <summary>Reads to the end of the answer; a broken connection and a server that breaks the protocol end it with
    /// <see cref="InferenceEvent.Failed"/>.</summary>
    public async IAsyncEnumerable<InferenceEvent> ReadAsync(Stream body, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var parser = SseParser.Create(body, (_, data) => Read(data));
        await using var items = parser.EnumerateAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            IReadOnlyList<InferenceEvent> events;
            try
            {
                events = await items.MoveNextAsync() ? items.Current.Data : [Broken("The connection ended before the answer was complete.")];
            }
            catch (IOException fault)
            {
                events = [Broken($"The connection broke in the middle of the answer: {fault.Message}")];
            }
            catch (JsonException)
            {
                events = [Broken("The server sent an event that is not JSON.")];
            }
            catch (InvalidDataException fault)
            {
                events = [Broken($"The server sent an event that is not of the OpenAI API: {fault.Message}")];
            }

            foreach (var inferenceEvent in events)
            {
                yield return inferenceEvent;
                if (inferenceEvent is InferenceEvent.Finished or InferenceEvent.Failed) yield break;
            }
        }
    }

    private IReadOnlyList<InferenceEvent> Read(ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("[DONE]"u8)) return [new InferenceEvent.Finished(_usage)];
        Utf8JsonReader reader = new(data);
        using var document = JsonDocument.ParseValue(ref reader);
        var chunk = document.RootElement;
        if (ErrorReader.Find(chunk) is { } error) return [new InferenceEvent.Failed(error)];
        if (Find(chunk, "usage") is { } usage) _usage = ReadUsage(usage);

        List<InferenceEvent> events = [];
        if (Find(chunk, "choices") is not { } choices) return events;
        if (choices.ValueKind != JsonValueKind.Array) throw Unlike("choices", "a list");
        foreach (var choice in choices.EnumerateArray()) AddEvents(choice, events);
        return events;
    }

    private static void AddEvents(JsonElement choice, List<InferenceEvent> events)
    {
        var index = Integer(choice, "index");
        if (Find(choice, "delta") is { } delta)
        {
            // vLLM's name for the reasoning, where a server sends only that.
            AddDelta(index, DeltaKind.Reasoning, Text(delta, "reasoning_content") ?? Text(delta, "reasoning"), events);
            AddDelta(index, DeltaKind.Answer, Text(delta, "content"), events);
        }

        AddDelta(index, DeltaKind.Answer, Text(choice, "text"), events);
        if (Text(choice, "finish_reason") is { } reason)
            events.Add(new InferenceEvent.ChoiceFinished(index, reason == "length" ? FinishReason.Length : FinishReason.Stop));
    }

    private static void AddDelta(int choice, DeltaKind kind, string? text, List<InferenceEvent> events)
    {
        if (text is { Length: > 0 }) events.Add(new InferenceEvent.Delta(choice, kind, text));
    }

    private static Usage ReadUsage(JsonElement usage) => new(
        Integer(usage, "prompt_tokens"),
        Integer(usage, "completion_tokens"),
        Find(usage, "completion_tokens_details") is { } details ? Integer(details, "reasoning_tokens") : 0)
    {
        CachedTokens = Find(usage, "prompt_tokens_details") is { } prompt ? Integer(prompt, "cached_tokens") : 0,
    };

    /// <summary>Zero where there is none.</summary>
    private static int Integer(JsonElement parent, string name)
    {
        if (Find(parent, name) is not { } value) return 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 0 ? number
            : throw Unlike(name, "a whole number from 0 on");
    }

    private static string? Text(JsonElement parent, string name)
    {
        if (Find(parent, name) is not { } value) return null;
        if (value.ValueKind != JsonValueKind.String) throw Unlike(name, "a text");
        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair.
            throw Unlike(name, "a text of whole characters");
        }
    }

    private static InvalidDataException Unlike(string field, string expected) => new($"'{field}' is not {expected}.");

    private static JsonElement? Find(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value
        : null;

    private static InferenceEvent.Failed Broken(string message) => new(new InferenceError(InferenceErrorKind.Internal, message));
}
