using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using R1Serverless.Abstractions;

namespace R1Serverless.Api.OpenAI;

/// <summary>
/// Writes the events of one request as the <c>data:</c> lines of a stream into one reused buffer. A chunk is a prefix that never changes, the
/// choice's index, the text as a JSON string, and a suffix: per token nothing is allocated and only the text is encoded.
/// </summary>
internal sealed class ChunkWriter : IEventWriter
{
    private readonly bool _chat;
    private readonly bool _includeUsage;
    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private readonly Utf8JsonWriter _json;
    private readonly byte[] _head;
    private readonly byte[] _tail;
    private readonly int[] _offsets;

    // For each choice, whether logprobs were asked for and none has been sent.
    private readonly bool[] _owesLogprobs;
    private VariantChoice? _variant;

    public ChunkWriter(CompletionCall call, AnswerHead head)
    {
        _chat = call.Api == CompletionApi.Chat;
        _includeUsage = call.IncludeUsage;
        _json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = WireJson.Encoder, SkipValidation = true });
        var kind = _chat ? "chat.completion.chunk" : "text_completion";
        var model = JsonEncodedText.Encode(head.Model, WireJson.Encoder).Value;
        var created = head.Created.ToString(CultureInfo.InvariantCulture);
        _head = Encoding.UTF8.GetBytes($$"""data: {"id":"{{head.Id}}","object":"{{kind}}","created":{{created}},"model":"{{model}}","choices":[""");
        // With include_usage each chunk but the last has a null usage, as OpenAI's do.
        _tail = Encoding.UTF8.GetBytes(_includeUsage ? "}],\"usage\":null}\n\n" : "}]}\n\n");
        _offsets = new int[call.AnswerCount];
        _owesLogprobs = [.. Enumerable.Repeat(call.Request.TopLogprobs is not null, call.AnswerCount)];
    }

    public ReadOnlyMemory<byte> Written => _buffer.WrittenMemory;

    public void Clear() => _buffer.ResetWrittenCount();

    public void Dispose() => _json.Dispose();

    public void Write(InferenceEvent inferenceEvent)
    {
        switch (inferenceEvent)
        {
            case InferenceEvent.Delta delta:
                WriteDelta(delta);
                break;
            case InferenceEvent.Admitted admitted:
                _variant = admitted.Variant;
                for (var choice = 0; _chat && choice < _offsets.Length; choice++) WriteRole(choice);
                break;
            case InferenceEvent.ChoiceFinished finished:
                WriteFinish(finished);
                break;
            case InferenceEvent.Finished finished:
                WriteEnd(finished.Usage);
                break;
        }
    }

    public void WriteError(ApiError error)
    {
        Put("data: "u8);
        JsonSerializer.Serialize(_json, ErrorWire.From(error), WireJson.Relaxed.ErrorAnswer);
        _json.Reset();
        Put("\n\n"u8);
    }

    private void WriteRole(int choice)
    {
        Open(choice);
        Put(",\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null"u8);
        Put(_tail);
    }

    private void WriteDelta(InferenceEvent.Delta delta)
    {
        Open(delta.Choice);
        if (!_chat)
        {
            // A raw completion is one text: reasoning and answer, in the order they were generated.
            Put(",\"text\":"u8);
            PutText(delta.Text);
        }
        else if (delta.Kind == DeltaKind.Answer)
        {
            Put(",\"delta\":{\"content\":"u8);
            PutText(delta.Text);
            Put("}"u8);
        }
        else
        {
            Put(",\"delta\":{\"reasoning_content\":"u8);
            var start = _buffer.WrittenCount;
            PutText(delta.Text);
            var length = _buffer.WrittenCount - start;
            Put(",\"reasoning\":"u8);
            _buffer.GetSpan(length);
            Put(_buffer.WrittenSpan.Slice(start, length));
            Put("}"u8);
        }

        Put(",\"logprobs\":"u8);
        if (delta.Logprobs is { } logprobs) PutLogprobs(delta.Choice, logprobs);
        else Put("null"u8);
        Put(",\"finish_reason\":null"u8);
        Put(_tail);
    }

    private void WriteFinish(InferenceEvent.ChoiceFinished finished)
    {
        Open(finished.Choice);
        Put(_chat ? ",\"delta\":{},\"logprobs\":"u8 : ",\"text\":\"\",\"logprobs\":"u8);
        if (_owesLogprobs[finished.Choice]) PutLogprobs(finished.Choice, []);
        else Put("null"u8);
        Put(",\"finish_reason\":"u8);
        PutText(AnswerHead.Name(finished.Reason));
        Put(_tail);
    }

    private void WriteEnd(Usage usage)
    {
        if (_includeUsage)
        {
            Put(_head);
            Put("],\"usage\":"u8);
            JsonSerializer.Serialize(_json, UsageWire.From(usage, _variant), WireJson.Relaxed.AnswerUsage);
            _json.Reset();
            Put("}\n\n"u8);
        }

        Put("data: [DONE]\n\n"u8);
    }

    private void PutLogprobs(int choice, IReadOnlyList<TokenLogprob> tokens)
    {
        _owesLogprobs[choice] = false;
        if (_chat) JsonSerializer.Serialize(_json, new([.. tokens.Select(LogprobWire.Chat)], null), WireJson.Relaxed.ChatLogprobs);
        else JsonSerializer.Serialize(_json, LogprobWire.Text(tokens, ref _offsets[choice]), WireJson.Relaxed.TextLogprobs);
        _json.Reset();
    }

    private void Open(int choice)
    {
        Put(_head);
        Put("{\"index\":"u8);
        var digits = _buffer.GetSpan(11);
        choice.TryFormat(digits, out var length, provider: CultureInfo.InvariantCulture);
        _buffer.Advance(length);
    }

    private void PutText(string text)
    {
        _json.WriteStringValue(text);
        _json.Flush();
        _json.Reset();
    }

    private void Put(ReadOnlySpan<byte> bytes) => _buffer.Write(bytes);
}
